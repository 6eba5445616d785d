import type { NoticeKind } from '../../schemas/notice.ts'

// Every sentence that is mailed. Nothing about a patient may be in here: not a name, a number, a
// title, a question or a purpose. A mail lies open on every server that it passes.

interface Template {
  /** A constant, so that nothing a person wrote is ever in a header. */
  subject: string
  says: string
  next: string
  /** Whoever it is for may turn it off. */
  reminder?: true
  /** Only while the share that it is about is not withdrawn. */
  whileShared?: true
  /** Only while no opinion has come back by the share that it is about. */
  whileUnanswered?: true
  /** What it calls the moment after which it would be of no use, where it tells it. */
  until?: 'Due' | 'Ends'
  /** What link it carries: that of the share, or of the invitation, that it is about. */
  link?: 'share' | 'invitation'
}

export const templates: Record<NoticeKind, Template> = {
  'share-created': {
    subject: 'A case has been shared with you',
    says: 'A clinician asks for your opinion and has shared medical records with you.',
    next: 'To read them, open the link and sign in as yourself. The link only names what was shared: it opens nothing by itself and nothing for anybody else, so please do not forward it. If you did not expect this, do nothing and tell the sender.',
    whileShared: true,
    link: 'share'
  },
  'share-opened': {
    subject: 'A case that you shared has been opened',
    says: 'The specialist has opened what you shared, for the first time.',
    next: 'Nothing needs to be done. If you did not expect this, withdraw the share and tell your auditor.'
  },
  'share-revoked': {
    subject: 'A shared case has been withdrawn',
    says: 'The sender has withdrawn what was shared with you. It can no longer be opened.',
    next: 'If you still need it, ask the sender to share it again.'
  },
  'share-expiring': {
    subject: 'A shared case closes soon',
    says: 'What was shared closes at the time given below. After that it can no longer be opened.',
    next: 'If more time is needed, the specialist asks for it, before then or soon after, and the sender gives it.',
    reminder: true,
    whileShared: true
  },
  'share-expired': {
    subject: 'A shared case has closed',
    says: 'The time for which records were shared is over. They can no longer be opened.',
    next: 'If more time is needed, the specialist asks for it within two weeks, and the sender gives it.'
  },
  'more-time-asked': {
    subject: 'More time is asked for',
    says: 'The specialist asks for more time to review what you shared.',
    next: 'Sign in to read why, and to give it or to decline.'
  },
  'more-time-given': {
    subject: 'You have been given more time',
    says: 'The sender has given you more time. Earlier links to this case no longer open anything.',
    next: 'Open the link and sign in as yourself. It opens nothing for anybody else.',
    whileShared: true,
    link: 'share'
  },
  'opinion-due': {
    subject: 'An opinion is due soon',
    says: 'An opinion on a shared case is due soon.',
    next: 'Sign in to see which, and by when.',
    reminder: true,
    whileShared: true,
    whileUnanswered: true,
    until: 'Due'
  },
  'opinion-submitted': {
    subject: 'An opinion has been returned',
    says: 'The specialist has returned an opinion on a case that you shared.',
    next: 'Sign in to read it and to acknowledge that you have it.'
  },
  'opinion-acknowledged': {
    subject: 'Your opinion has been received',
    says: 'The clinician has acknowledged your opinion.',
    next: 'Nothing needs to be done.'
  },
  invitation: {
    subject: 'You are invited to give a second opinion',
    says: 'A clinician invites you to join an exchange of medical records for second opinions.',
    next: 'Open the link, and enter the code that the clinician gives you by other means than e-mail. If you did not expect this, do nothing: without the code the link opens nothing.',
    until: 'Ends',
    link: 'invitation'
  },
  'invitation-reminder': {
    subject: 'Your invitation to give a second opinion',
    says: 'You have not yet taken up an invitation to an exchange of medical records for second opinions.',
    next: 'Open the link, and enter the code that the clinician gave you by other means than e-mail. If you did not expect this, do nothing.',
    until: 'Ends',
    link: 'invitation'
  },
  'case-declined': {
    subject: 'A specialist has declined a case',
    says: 'The specialist will not review a case that you shared.',
    next: 'Sign in to read why, and to choose another specialist.'
  },
  'consent-withdrawn': {
    subject: 'Consent has been withdrawn',
    says: 'Consent for a shared case has been withdrawn. What was shared under it can no longer be opened.',
    next: 'Sign in to see which case. Please keep no copies.'
  },
  'webhook-disabled': {
    subject: 'A webhook has been disabled',
    says: 'A webhook of your organisation has answered nothing for days and is no longer told of anything.',
    next: 'Mend the system that it belongs to, then add the webhook again.'
  },
  'message-received': {
    subject: 'There is a message about a shared case',
    says: 'Somebody has written to you about a case that is shared.',
    next: 'Sign in to read the message and to answer it.',
    whileShared: true
  },
  'more-time-declined': {
    subject: 'More time was not given',
    says: 'The sender has declined to give you more time for what was shared with you.',
    next: 'Sign in to read why. What was agreed before stays as it was.'
  },
  'account-recovered': {
    subject: 'A recovery code of yours was used',
    says: 'Somebody used one of your recovery codes to make a new passkey. Everybody who was signed in as you was signed out, and your other passkeys were removed but for those that were kept by name.',
    next: 'If it was you, nothing needs to be done. If it was not, ask an administrator of your organisation at once, by telephone, to disable your account.'
  },
  'colleague-recovered': {
    subject: 'Somebody of your organisation used a recovery code',
    says: 'Somebody of your organisation used a recovery code to make a new passkey.',
    next: 'Sign in to see who, in the list of people. If you did not hear of it from them, ask them by telephone, and disable the account if it was not they.'
  }
}

/** What a mail says beside its template. */
export interface Facts {
  /** The organisation whose case it is about. */
  organisation: string
  /** An id that the exchange itself knows it by. */
  reference: string
  link?: string | undefined
  /** Milliseconds UTC: when the share begins, where that is yet to come, and when it ends. */
  opensAt?: number | undefined
  closesAt?: number | undefined
  /** After which it would be of no use, for the kinds that tell it. */
  until?: number | undefined
  /** Where the exchange is. */
  publicUrl: string
}

const timeIn = (timeZone: string, options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat('en-GB', { ...options, timeZone, hourCycle: 'h23' })
const utc = timeIn('UTC', { dateStyle: 'full', timeStyle: 'short' })
const london = timeIn('Europe/London', { dateStyle: 'medium', timeStyle: 'short' })

/** Specialists work anywhere, senders in the United Kingdom. */
const timeText = (at: number): string => `${utc.format(at)} UTC (${london.format(at)} in London)`

/** The mail of a notice, as plain text and as HTML that loads nothing. */
export function renderMail(
  kind: NoticeKind,
  facts: Facts
): { subject: string; text: string; html: string } {
  const { subject, says, next, reminder, until } = templates[kind]
  const { link, publicUrl } = facts
  const rows: [name: string, value: string][] = [['From', facts.organisation]]
  if (facts.opensAt !== undefined) rows.push(['Opens', timeText(facts.opensAt)])
  if (facts.closesAt !== undefined) rows.push(['Closes', timeText(facts.closesAt)])
  if (until !== undefined && facts.until !== undefined) rows.push([until, timeText(facts.until)])
  rows.push(['Reference', facts.reference])
  const foot = [
    `Sent by Consilium at ${publicUrl}. Nobody reads replies.`,
    'This message says nothing about the patient. Please keep it so if you pass it on.',
    ...(reminder ? ['Reminders can be turned off; other notices cannot.'] : [])
  ].join(' ')
  const text = [
    says,
    ...(link === undefined ? [] : [link]),
    rows.map(([name, value]) => `${name}: ${value}`).join('\n'),
    next,
    `-- \n${foot}`
  ].join('\n\n')
  const html = [
    '<!doctype html><html lang="en-GB"><head><meta charset="utf-8">',
    `<title>${escapeHtml(subject)}</title></head>`,
    '<body style="font-family:sans-serif;max-width:40em">',
    `<p>${escapeHtml(says)}</p>`,
    ...(link === undefined ? [] : [`<p><a href="${escapeHtml(link)}">${escapeHtml(link)}</a></p>`]),
    `<p>${rows.map(([name, value]) => `${name}: ${escapeHtml(value)}`).join('<br>')}</p>`,
    `<p>${escapeHtml(next)}</p>`,
    `<p style="color:#555;font-size:smaller">${escapeHtml(foot)}</p>`,
    '</body></html>'
  ].join('\n')
  return { subject, text: `${text}\n`, html }
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] ?? character)
}
