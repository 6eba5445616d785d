import { type Static, Type } from 'typebox'
import { Id, idOf, Next, Timestamp } from './common.ts'

/**
 * How a clinician passes the enrolment code on. The link goes by e-mail, so e-mail is not among them:
 * it can be asked for only to be told so.
 */
export const codeChannels = ['telephone', 'text-message', 'in-person', 'letter'] as const
export type CodeChannel = (typeof codeChannels)[number]
const Channel = Type.Enum([...codeChannels, 'e-mail'] as const)
const CodeAddress = Type.String({
  minLength: 1,
  maxLength: 254,
  description: 'Where the code goes. Compared with the address of the link and not kept.'
})

export const InvitationCreate = Type.Object(
  {
    specialist: Type.Optional(
      idOf('An entry of the register that has an e-mail address and no account yet; or …')
    ),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    email: Type.Optional(Type.String({ minLength: 1, maxLength: 254 })),
    country: Type.Optional(Type.String({ pattern: '^[A-Z]{2}$' })),
    specialty: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    organisation: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Where they work.' })
    ),
    message: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1000,
        description: 'Shown to them once they are enrolled, never mailed. No patient data.'
      })
    ),
    codeChannel: Channel,
    codeAddress: Type.Optional(CodeAddress)
  },
  { additionalProperties: false }
)
export type InvitationCreate = Static<typeof InvitationCreate>

export const InvitationResend = Type.Object(
  { codeChannel: Channel, codeAddress: Type.Optional(CodeAddress) },
  { additionalProperties: false }
)
export type InvitationResend = Static<typeof InvitationResend>

export const invitationStates = ['open', 'locked', 'expired', 'accepted', 'withdrawn'] as const

/** An invitation as the organisation that sent it sees it. */
export const InvitationView = Type.Object(
  {
    id: Id,
    specialist: Id,
    name: Type.String(),
    createdBy: Id,
    createdAt: Timestamp,
    sentAt: Timestamp,
    expiresAt: Timestamp,
    state: Type.Enum(invitationStates),
    triesLeft: Type.Integer(),
    sends: Type.Integer(),
    codeChannel: Type.Enum(codeChannels)
  },
  { $id: 'Invitation' }
)
export type InvitationView = Static<typeof InvitationView>

export const InvitationSent = Type.Object({
  invitation: InvitationView,
  code: Type.String({
    description: 'Shown this once. Pass it on by the channel you named, never by e-mail.'
  })
})
export type InvitationSent = Static<typeof InvitationSent>

export const InvitationList = Type.Object({ invitations: Type.Array(InvitationView), next: Next })

/** The public half of a P-384 key (RFC 7518, section 6.2): client assertions are ES384. */
const PublicKey = Type.Object(
  {
    kty: Type.Literal('EC'),
    crv: Type.Literal('P-384'),
    x: Type.String({ pattern: '^[A-Za-z0-9_-]{64}$' }),
    y: Type.String({ pattern: '^[A-Za-z0-9_-]{64}$' }),
    kid: Type.Optional(Type.String({ maxLength: 200 })),
    alg: Type.Optional(Type.Literal('ES384')),
    use: Type.Optional(Type.Literal('sig'))
  },
  { additionalProperties: false }
)

export const InvitationAccept = Type.Object(
  {
    link: Type.String({ minLength: 1, maxLength: 4096, description: 'The link, or its token.' }),
    code: Type.String({ minLength: 1, maxLength: 40, description: 'The enrolment code.' }),
    key: Type.Optional(PublicKey),
    accessToken: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description: 'Instead of a key: of an issuer this service trusts, for this service.'
      })
    )
  },
  { additionalProperties: false }
)
export type InvitationAccept = Static<typeof InvitationAccept>

export const InvitationAccepted = Type.Object({
  account: Id,
  clientId: Type.Optional(
    Type.String({ description: 'Of the key: iss and sub of its client assertions.' })
  ),
  state: Type.Literal('unverified', {
    description: 'An administrator verifies you; then cases can be sent to you.'
  }),
  invitedBy: Type.Object({ organisation: Type.String(), clinician: Type.String() }),
  message: Type.Optional(Type.String())
})
export type InvitationAccepted = Static<typeof InvitationAccepted>
