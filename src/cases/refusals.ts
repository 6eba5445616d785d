/** Refusals of requests for a second opinion: a part of the one table in `errors.ts`. */
export const requestRefusals = {
  'if-match-missing': [
    428,
    'Say which version you have changed',
    'Send the ETag of what you read as If-Match.'
  ],
  'if-match-invalid': [400, 'If-Match cannot be read', 'Send the ETag as you got it, in quotes.'],
  'version-changed': [
    412,
    'It was changed in the meantime',
    'Read it again, then repeat what you wanted to change.'
  ],
  'case-state-refused': [
    409,
    'The case does not stand where this is possible',
    'See under problems what is possible now.'
  ],
  'case-shares-live': [
    409,
    'Shares of the case are still live',
    'Withdraw them, or close with revokeShares: true.'
  ],
  'case-incomplete': [
    422,
    'The case is not complete',
    'Add what is missing; to share it all the same, give overrideReason.'
  ],
  'text-invalid': [
    422,
    'A text is empty or holds control characters',
    'See under problems which one it is.'
  ],
  'snomed-code-invalid': [
    422,
    'SNOMED CT code is not valid',
    'Give a concept id; its last digit is a check digit.'
  ],
  'icd-code-invalid': [
    422,
    'ICD-10 code is not valid',
    'Give a letter, two digits and if known a dot and one or two more: C71.2.'
  ],
  'due-date-past': [422, 'Due date is over', 'Give today or a later day.'],
  'due-date-far': [422, 'Due date is too far away', 'Give a day within two years.'],
  'question-number-unknown': [
    422,
    'No question has this number',
    'Leave the number out for a new question; it is given one.'
  ],
  'question-number-twice': [422, 'Two questions have the same number', 'Give each number once.'],
  'question-numbers-spent': [
    422,
    'The case has had too many questions',
    'Make another case for further questions.'
  ],
  'question-shared': [
    409,
    'A question was put to a specialist already',
    'Leave it as it is and add another question.'
  ],
  'referral-record-unfit': [
    422,
    'This record is no referral letter',
    'Name a record of the kind referral or letter.'
  ],
  'authorisation-code-invalid': [
    422,
    'Authorisation code is not valid',
    'Give letters, digits and . / - _ between them.'
  ],
  'authorisation-dates-invalid': [
    422,
    'The authorisation ends before it begins',
    'Correct from and until.'
  ],
  'checklist-item-unknown': [
    422,
    'The checklist has no such item',
    'Read the checklist again for the ids of its items.'
  ],
  'checklist-item-twice': [422, 'An item is answered twice', 'Answer each item once.'],
  'checklist-answer-mixed': [
    422,
    'An answer says more than its status allows',
    'Records and a note go with present, a reason with not-applicable.'
  ],
  'checklist-records-missing': [
    422,
    'Nothing shows that the item is present',
    'Name the records that are it.'
  ],
  'checklist-record-unfit': [
    422,
    'A record is of a kind that cannot be this item',
    'See under kinds which records can.'
  ],
  'checklist-reason-missing': [
    422,
    'It is not said why the item is not applicable',
    'Give a reason.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
