/** Refusals of opinions and messages: a part of the one table in `errors.ts`. */
export const opinionRefusals = {
  'opinion-not-found': [404, 'No opinion yet', 'Wait until the specialist submits one.'],
  'opinion-incomplete': [
    422,
    'The opinion is not complete',
    'See under problems what is missing; decline a question with a reason if need be.'
  ],
  'opinion-question-unknown': [
    422,
    'No question has this number',
    'Answer the questions of this share, by their numbers.'
  ],
  'opinion-question-twice': [422, 'A question is answered twice', 'Answer each question once.'],
  'opinion-answer-mixed': [
    422,
    'A question is both answered and declined',
    'Give an answer, or a reason under declined.'
  ],
  'opinion-attachment-unknown': [
    422,
    'An attachment is not yours, or not of this case',
    'Name records that you have added to this case.'
  ],
  'attachments-spent': [409, 'There are too many attachments', 'Put several files into one.'],
  'opinion-final': [
    409,
    'The opinion has been submitted',
    'It cannot be changed any more: write an addendum.'
  ],
  'opinion-not-submitted': [
    409,
    'The opinion has not been submitted',
    'Change the draft; addenda come after it is submitted.'
  ],
  'opinion-acknowledged': [409, 'The opinion was acknowledged before', 'Nothing needs to be done.'],
  'addenda-spent': [409, 'The opinion has too many addenda', 'Write a message to the sender.'],
  'share-declined': [
    410,
    'You have declined this case',
    'Ask the sender to share it again if you can review it after all.'
  ],
  'message-names-patient': [
    422,
    'The message names the patient',
    'The specialist knows them by a pseudonym only: write without name, number and date of birth.'
  ],
  'messages-spent': [409, 'There are too many messages', 'Speak to each other by other means.']
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
