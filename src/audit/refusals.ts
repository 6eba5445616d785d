/** Refusals about the access log: code → HTTP status, title and what to do next. */
export const logRefusals = {
  'log-tile-not-found': [
    404,
    'No such part of the log',
    'See C2SP tlog-tiles for the paths, and the checkpoint for the size.'
  ],
  'event-not-found': [404, 'No such event', 'Check the event id.'],
  'question-not-found': [404, 'No such saved question', 'Look at the list of your questions.'],
  'too-many-questions': [409, 'Too many saved questions', 'Remove one that you ask no more.'],
  'log-size-unknown': [
    400,
    'The log has no such size',
    'Give sizes from 1 to that of the checkpoint, the smaller one first.'
  ],
  'report-too-long': [
    422,
    'The report would be too long',
    'Ask for a shorter period, by from and to.'
  ],
  'audit-unavailable': [
    503,
    'Access log cannot be written',
    'Nothing was disclosed. Try again shortly.'
  ],
  'log-not-signed-yet': [503, 'The log is about to be signed', 'Ask again in a second.']
} as const
