/**
 * Whether records may be shared without the patient's recorded consent: `required` says no,
 * `recorded` that it is recorded where there is one. A consent that was withdrawn or has run out
 * stops every share under both.
 */
export const consentPolicies = ['recorded', 'required'] as const
export type ConsentPolicy = (typeof consentPolicies)[number]
