/** Refusals of what has ended, and of ending it: a part of the one table in `errors.ts`. */
export const retentionRefusals = {
  'record-erased': [
    410,
    'Record was erased',
    'Nothing of it can be read any more. Its erasure receipt says when and why.'
  ],
  'case-erased': [
    410,
    'Case was erased',
    'Nothing of it can be read any more. Its erasure receipt says when and why.'
  ],
  'share-case-gone': [
    410,
    'The case is no longer there',
    'Nothing is expected of you any more. Ask the sender if you need something.'
  ],
  'case-held': [
    409,
    'Case is under a legal hold',
    'Nothing of it is erased until an administrator lifts the hold.'
  ],
  'nothing-to-erase': [
    409,
    'Nothing is left to be erased',
    'What is still there has to stay: see the retention of the case.'
  ],
  'too-many-holds': [409, 'The case has too many holds', 'Lift one that is not needed any more.'],
  'hold-lifted': [409, 'The hold was lifted before', 'Nothing needs to be done.'],
  'hold-not-found': [404, 'No such hold', 'Check the ids of the case and the hold.'],
  'erasure-not-found': [404, 'No such erasure', 'Check the id of the erasure.']
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
