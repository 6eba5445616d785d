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
  'checksum-mismatch': [460, 'Checksum does not match', 'Nothing of it was kept. Send it again.'],
  'draft-incomplete': [
    409,
    'Files of the draft are still missing',
    'Finish or end every upload in it, then complete it.'
  ],
  'draft-full': [409, 'Draft holds as many files as it may', 'Put the rest into another record.'],
  'too-many-drafts': [
    429,
    'Too many drafts or uploads are open',
    'Complete or discard some of them first.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
