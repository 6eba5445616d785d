/** Refusals of files: a part of the one table in `errors.ts`. */
export const fileRefusals = {
  'fields-first': [
    400,
    'Fields must come before files',
    'Send kind, title and date first, then the files.'
  ],
  'file-missing': [400, 'No file was sent', 'Send at least one file.'],
  'file-empty': [422, 'File is empty', 'Check the file where it came from, then send it again.'],
  'file-truncated': [
    400,
    'File is cut short',
    'Send it again. If it is cut short where it came from, export it again.'
  ],
  'file-too-large': [413, 'File is too large', 'The limit is in the API description.'],
  'too-many-files': [413, 'Too many files in one record', 'Split them over several records.'],
  'file-type-refused': [
    415,
    'File type not accepted',
    'Send DICOM, PDF, PNG, JPEG, TIFF, plain text or age files.'
  ],
  'file-mislabelled': [
    415,
    'File is not what it says it is',
    'Correct its name or content type, or export it again.'
  ],
  'file-preamble-hostile': [
    415,
    'DICOM file hides another format',
    'Export it again from the imaging system.'
  ],
  'file-damaged': [
    422,
    'File is damaged or not what it claims to be',
    'Open it where it came from, and export it again.'
  ],
  'file-inflates-too-far': [
    422,
    'File unpacks to far more than it should',
    'Export it again without compression.'
  ],
  'image-too-large': [
    422,
    'Image has too many pixels',
    'Send it as TIFF or DICOM in tiles. The limit is in the API description.'
  ],
  'file-infected': [
    422,
    'File is infected',
    'A malware scan found something in it. Nothing of it was kept. Clean or replace the file, and tell your IT security.'
  ],
  'digest-invalid': [
    400,
    'Repr-Digest cannot be read',
    'Send sha-256=:base64:, before the file it belongs to.'
  ],
  'digest-mismatch': [
    422,
    'File does not match its digest',
    'It changed on the way. Send it again.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
