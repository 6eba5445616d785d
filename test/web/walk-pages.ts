import { NHS_NUMBER, PURPOSE } from '../helpers/exchange.ts'
import type { PersonName } from '../helpers/people.ts'
import type { Stage } from './walk-stage.ts'

type Ids = Stage['ids']

/** One page in one state: what leads to it, and what it is called among the pictures. */
export interface Visit {
  route: string
  /** Beside the usual one. */
  state?: string
  /** Who asks; else the first role that may, or nobody. */
  who?: PersonName | 'nobody'
  ids?: Partial<Ids>
  /** What is added to the address. */
  more?: string
  /** What is sent with a form; without it, nothing is filled in. */
  fields?: Record<string, string>
  /** Else 200 of a page, and any refusal of a form. */
  status?: number
}

const get = (route: string, visit: Omit<Visit, 'route'> = {}): Visit => ({
  route: `GET ${route}`,
  ...visit
})
const wrong = (route: string, visit: Omit<Visit, 'route'> = {}): Visit => ({
  route: `POST ${route}`,
  state: 'wrong',
  ...visit
})
const sent = (route: string, fields = {}, visit: Omit<Visit, 'route'> = {}): Visit => ({
  route: `POST ${route}`,
  fields,
  status: 200,
  ...visit
})

/** Every page, and every form that was not filled in, in the order in which they are looked at. */
export const visits = (stage: Stage): Visit[] => [
  ...waysIn(stage),
  ...casesOf(stage),
  ...sharingOf(stage),
  ...keepingOf(stage),
  ...reviewsOf(stage),
  ...logOf(),
  ...administrationOf(stage)
]

const waysIn = ({ code, newcomer }: Stage): Visit[] => [
  get('/'),
  get('/sign-in'),
  wrong('/sign-in'),
  get('/sign-in/with/:issuer', { state: 'unknown', ids: { issuer: 'nobody' }, status: 404 }),
  get('/sign-in/with/:issuer', { state: 'silent', ids: { issuer: 'valley' }, status: 503 }),
  get('/sign-in/from/:issuer', { state: 'unasked', status: 403 }),
  get('/signed-out/:issuer'),
  get('/signed-out/:issuer', { state: 'silent', ids: { issuer: 'valley' } }),
  get('/enrol/first'),
  wrong('/enrol/first'),
  wrong('/enrol/first/passkey'),
  get('/enrol/:enrolment'),
  wrong('/enrol/:enrolment'),
  wrong('/enrol/:enrolment/passkey'),
  sent('/enrol/:enrolment', { code }, { state: 'choice', ids: newcomer }),
  get('/i'),
  wrong('/i'),
  wrong('/i/passkey'),
  get('/recover'),
  wrong('/recover'),
  wrong('/recover/passkey'),
  get('/help'),
  get('/accessibility'),
  get('/privacy'),
  get('/prove'),
  wrong('/prove'),
  get('/prove/elsewhere', { state: 'here', status: 404 }),
  get('/account'),
  wrong('/account/passkeys'),
  wrong('/account/passkeys/rename'),
  wrong('/account/passkeys/remove'),
  sent('/account/recovery-codes')
]

const casesOf = ({ fresh, doubtful, text, closed }: Stage): Visit[] => [
  get('/cases'),
  get('/cases', { state: 'none', who: 'otherClinician' }),
  sent('/cases/search', { number: '9990000026' }),
  get('/cases/new'),
  wrong('/cases/new'),
  get('/cases/:case'),
  get('/cases/:case', { state: 'fresh', ids: fresh }),
  get('/cases/:case', { state: 'closed', ids: closed }),
  get('/cases/:case', { state: 'not-found', who: 'otherClinician', status: 404 }),
  get('/cases/:case/request'),
  wrong('/cases/:case/request', { ids: fresh }),
  get('/cases/:case/checklist'),
  wrong('/cases/:case/checklist', { ids: fresh }),
  wrong('/cases/:case/complete', { ids: fresh }),
  get('/cases/:case/close'),
  wrong('/cases/:case/close'),
  get('/cases/:case/reopen', { ids: closed }),
  wrong('/cases/:case/reopen', { ids: closed }),
  get('/cases/:case/records/:record', { ids: fresh }),
  get('/cases/:case/records/:record', { state: 'doubtful', ids: doubtful }),
  wrong('/cases/:case/records/:record/patient', { ids: doubtful }),
  get('/cases/:case/records/:record/files/:object', { ids: fresh }),
  get('/cases/:case/records/:record/files/:object', { state: 'text', ids: text }),
  get('/cases/:case/upload', { ids: fresh }),
  wrong('/cases/:case/upload', { ids: fresh }),
  get('/cases/:case/upload/:draft', { ids: fresh }),
  wrong('/cases/:case/upload/:draft/complete', { ids: fresh })
]

const sharingOf = ({ ids, dan, asha, asked, answered, withdrawn, recalled }: Stage): Visit[] => {
  const terms = { records: ids.record, purpose: PURPOSE, hours: '72' }
  const step = '/cases/:case/share/:specialist'
  const invited = {
    name: 'Dr Ida Lundeby',
    email: 'ida@abroad.example',
    organisation: 'Fjord Hospital',
    country: 'NO',
    specialty: 'Neurosurgery',
    codeChannel: 'telephone'
  }
  return [
    get('/cases/:case/share'),
    sent('/cases/:case/share', { name: 'nobody' }),
    get(step),
    get(step, { state: 'safeguard', ids: asha }),
    get(`${step}/consent/:kind`),
    wrong(`${step}/consent/:kind`),
    get(`${step}/consent/:kind`, {
      state: 'transfer',
      ids: { ...asha, kind: 'transfer' }
    }),
    get(`${step}/records`),
    wrong(`${step}/terms`),
    sent(`${step}/terms`, terms),
    sent(`${step}/terms`, terms, { state: 'conditional', ids: dan }),
    sent(`${step}/terms`, { ...terms, grounds: 'agreement' }, { state: 'agreement', ids: asha }),
    wrong(`${step}/review`),
    wrong(`${step}/review`, { state: 'unlawful', ids: dan, fields: terms }),
    sent(`${step}/review`, terms),
    wrong(`${step}/confirm`),
    get('/shares'),
    get('/shares', { state: 'none', who: 'otherClinician' }),
    get('/shares', { state: 'all', more: '?state=all' }),
    wrong('/shares/end'),
    sent('/shares/end', { shares: ids.share }, { state: 'chosen' }),
    wrong('/shares/end/confirm'),
    get('/shares/:share'),
    get('/shares/:share', { state: 'asked', ids: asked }),
    get('/shares/:share', { state: 'answered', ids: answered }),
    get('/shares/:share', { state: 'withdrawn', ids: withdrawn }),
    get('/shares/:share/link'),
    get('/shares/:share/end'),
    wrong('/shares/:share/end', { ids: withdrawn }),
    wrong('/shares/:share/messages'),
    wrong('/shares/:share/more-time'),
    wrong('/shares/:share/more-time/decline', { ids: asked }),
    get('/specialists'),
    sent('/specialists', { name: 'nobody' }),
    get('/specialists/:specialist'),
    get('/specialists/invite'),
    wrong('/specialists/invite'),
    sent('/specialists/invite', invited),
    get('/specialists/invitations'),
    get('/specialists/invitations/:invitation'),
    get('/specialists/invitations/:invitation', { state: 'withdrawn', ids: recalled }),
    wrong('/specialists/invitations/:invitation/resend'),
    get('/cases/:case/opinions'),
    get('/cases/:case/opinions/:share', { ids: answered }),
    wrong('/cases/:case/opinions/:share/acknowledge'),
    get('/cases/:case/access')
  ]
}

/** How long cases are kept. Clinicians and auditors read what administrators decide. */
const keepingOf = ({ fresh, held, erased }: Stage): Visit[] => {
  const who = 'administrator'
  return [
    get('/cases/:case/retention'),
    get('/cases/:case/retention', { state: 'held', ids: held }),
    get('/cases/:case/retention', { state: 'erased', ids: erased }),
    get('/cases/:case/retention', { state: 'auditor', who: 'auditor', ids: held }),
    get('/cases/:case/retention', { state: who, who, ids: held }),
    get('/cases/:case/retention', { state: `${who}-erased`, who, ids: erased }),
    wrong('/cases/:case/holds'),
    get('/cases/:case/holds/:hold/lift', { ids: held }),
    wrong('/cases/:case/holds/:hold/lift', { ids: held }),
    get('/cases/:case/erasure', { ids: fresh }),
    get('/cases/:case/erasure', { state: 'held', ids: held }),
    get('/cases/:case/erasure', { state: 'erased', ids: erased }),
    wrong('/cases/:case/erasure', { ids: fresh }),
    get('/erasures/:erasure', { ids: erased }),
    get('/erasures/:erasure', { state: 'auditor', who: 'auditor', ids: erased }),
    get('/administration/retention'),
    wrong('/administration/retention')
  ]
}

const reviewsOf = ({ links, answered, asked, withdrawn, unopened, sentPdf }: Stage): Visit[] => {
  const token = new URL(links.unopened).hash
  return [
    get('/s', { state: 'nobody', who: 'nobody', more: token }),
    get('/s', { state: 'incomplete', who: 'nobody', more: token.slice(0, 60) }),
    get('/s', { state: 'specialist', who: 'specialistGb', more: token }),
    get('/s', { state: 'without', who: 'specialistGb' }),
    wrong('/s/look'),
    sent('/s/look', { link: links.unopened }, { state: 'received' }),
    wrong('/s/look', { state: 'wrong-account', who: 'stranger', fields: { link: links.unopened } }),
    wrong('/s/open'),
    get('/reviews'),
    get('/reviews', { state: 'none', who: 'stranger' }),
    get('/reviews/:share'),
    get('/reviews/:share', { state: 'answered', ids: answered }),
    get('/reviews/:share', { state: 'withdrawn', ids: withdrawn }),
    get('/reviews/:share', { state: 'unopened', ids: unopened }),
    get('/reviews/:share/records/:record'),
    get('/reviews/:share/records/:record/objects/:object', { ids: sentPdf }),
    get('/reviews/:share/messages'),
    wrong('/reviews/:share/messages'),
    get('/reviews/:share/more-time'),
    get('/reviews/:share/more-time', { state: 'asked', ids: asked }),
    wrong('/reviews/:share/more-time', { ids: asked }),
    get('/reviews/:share/decline'),
    wrong('/reviews/:share/decline'),
    get('/reviews/:share/opinion'),
    get('/reviews/:share/opinion', { state: 'answered', ids: answered }),
    wrong('/reviews/:share/opinion'),
    get('/reviews/:share/opinion/attachments'),
    wrong('/reviews/:share/opinion/attachments'),
    get('/reviews/:share/opinion/submit'),
    wrong('/reviews/:share/opinion/submit'),
    wrong('/reviews/:share/opinion/addenda', { ids: answered })
  ]
}

const logOf = (): Visit[] => [
  get('/log'),
  wrong('/log/questions'),
  get('/log/answer', { more: '?question=refused' }),
  get('/log/answer', { state: 'none', who: 'otherAuditor', more: '?question=refused' }),
  wrong('/log/answer', { fields: { 'nhs-number': '123' } }),
  sent('/log/answer', { group: 'access' }),
  get('/log/live-shares'),
  get('/log/events/:event'),
  get('/log/report'),
  wrong('/log/report'),
  sent('/log/report', { 'nhs-number': NHS_NUMBER }),
  get('/log/integrity'),
  get('/log/integrity/growth', { state: 'wrong', more: '?from=-1', status: 400 }),
  sent('/log/integrity')
]

const administrationOf = ({ entry, ids, newcomer }: Stage): Visit[] => [
  get('/administration'),
  get('/administration/policy'),
  get('/administration/people'),
  get('/administration/people/add'),
  wrong('/administration/people'),
  get('/administration/people/codes'),
  get('/administration/people/:account'),
  get('/administration/people/:account', { state: 'newcomer', ids: newcomer }),
  wrong('/administration/people/:account/role'),
  sent('/administration/people/:account/code'),
  get('/administration/organisations'),
  wrong('/administration/organisations'),
  get('/administration/register'),
  sent('/administration/register', { q: 'nobody' }),
  get('/administration/register/:specialist', { ids: entry }),
  wrong('/administration/register/:specialist/verify', { ids: entry }),
  get('/administration/register/:specialist', { state: 'verified' }),
  wrong('/administration/register/:specialist/end'),
  get('/administration/register/import'),
  wrong('/administration/register/import'),
  get('/administration/shares'),
  wrong('/administration/shares/chosen'),
  sent('/administration/shares/chosen', { share: ids.share }),
  get('/administration/shares/every'),
  get('/administration/shares/every', { state: 'begun', more: `?since=${Date.now()}` }),
  wrong('/administration/shares/every')
]

/** What answers with no page, and why nobody looks at it here. */
export const WITHOUT_PAGE: Record<string, string[]> = {
  'a file': [
    'GET /reviews/:share/records/:record/objects/:object/content',
    'GET /reviews/:share/opinion/content',
    'GET /reviews/:share/opinion/addenda/:number/content',
    'GET /cases/:case/access/report',
    'POST /log/report/file',
    'POST /log/export'
  ],
  'an answer to a script': [
    'POST /sign-in/options',
    'POST /prove/options',
    'POST /account/passkeys/options'
  ],
  'one button, that leads on to another page': [
    'POST /sign-out',
    'POST /account/sign-out-everywhere',
    'POST /administration/people/:account/code/withdraw',
    'POST /administration/people/:account/disable',
    'POST /administration/people/:account/enable',
    'POST /administration/people/invitations/:invitation/withdraw',
    'POST /administration/shares/withdraw',
    'POST /cases/:case/upload/:draft/discard',
    'POST /log/questions/:question/remove',
    'POST /specialists/invitations/:invitation/withdraw'
  ]
}
