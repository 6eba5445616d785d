/** Refusals of what has to do with time: a part of the one table in `errors.ts`. */
export const timeRefusals = {
  'share-replaced': [
    410,
    'Share was replaced by a newer one',
    'Use the newer link. Whoever shared withdraws the newer share.'
  ],
  'no-live-share': [409, 'No live share is meant', 'Nothing needs to be done.'],
  'more-time-pending': [
    409,
    'More time was asked for already',
    'Wait for the answer of the sender.'
  ],
  'more-time-too-late': [410, 'Share expired too long ago', 'Ask the sender to share again.'],
  'more-time-asked-too-often': [
    409,
    'More time was asked for too often',
    'Speak with the sender about what is still needed.'
  ],
  'more-time-not-asked': [
    409,
    'Nobody waits for more time for this share',
    'Nothing needs to be done; make a new share if one is wanted.'
  ],
  'more-time-shorter': [
    422,
    'It would end no later than it does now',
    'Give more hours, which count from now; renew what problems names, if anything.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
