/** Refusals of resumable uploads and drafts: a part of the one table in `errors.ts`. */
export const uploadRefusals = {
  'tus-version-refused': [412, 'Protocol version not supported', 'Send Tus-Resumable: 1.0.0.'],
  'upload-offset-conflict': [
    409,
    'Upload goes on at another offset',
    'Ask with HEAD where it goes on, then send from there.'
  ],
  'upload-locked': [
    423,
    'Somebody else is sending to this upload',
    'Wait a moment, then ask with HEAD where it goes on.'
  ],
  'upload-refused': [
    410,
    'Upload was refused and has ended',
    'The draft says why. Begin a new upload.'
  ],
  'upload-is-final': [
    403,
    'Upload was joined from its parts',
    'Nothing can be added to it. Begin a new upload.'
  ],
  'upload-too-long': [
    413,
    'More was sent than Upload-Length announced',
    'Check the file, then begin a new upload.'
  ],
  'upload-too-slow': [
    408,
    'Hardly anything came for a minute',
    'Ask with HEAD where it goes on, then send from there.'
  ],
  'upload-in-too-many-pieces': [
    422,
    'Upload came in too many small pieces',
    'End it, and begin a new one in pieces of 64 KiB or more, best of several MiB.'
  ],
  'upload-parts-joined': [
    409,
    'Parts were joined before, and not like this',
    'The draft shows the upload that they became. For another one send the parts again.'
  ],
  'checksum-mismatch': [460, 'Checksum does not match', 'Nothing of it was kept. Send it again.'],
  'draft-incomplete': [
    409,
    'Files of the draft are still missing',
    'Finish or end every upload in it, then complete it.'
  ],
  'draft-completing': [
    409,
    'Draft is being completed',
    'Wait, then complete it again: the answer is the record once it is made.'
  ],
  'draft-over': [
    409,
    'This upload was begun before and is over',
    'Look at the records of the case. To upload the same again, use another attempt.'
  ],
  'draft-full': [409, 'Draft holds as many files as it may', 'Put the rest into another record.'],
  'too-many-drafts': [
    429,
    'Too many drafts or uploads are open',
    'Complete or discard some of them first.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
