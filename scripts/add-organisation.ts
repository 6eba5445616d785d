import { addOrganisation } from '../src/identity/enrol.ts'
import { runCommand, withData } from './command.ts'

const usage = `Adds an organisation and prints its id.

  npm run add-organisation -- --name NAME --country CODE [--ods CODE] [--zone NAME]
                              [--public-authority yes|no]

  --name      as it is called, e.g. "St Example NHS Trust"
  --country   ISO 3166-1, two letters: GB, IE, DE …
  --ods       its ODS code, e.g. RJ1; every organisation in the United Kingdom has one
  --zone      time zone its due dates are counted in, e.g. America/New_York; else Europe/London
  --public-authority
              whether it exercises public powers, as NHS bodies do: yes unless said otherwise for
              what has an ODS code, which private hospitals have too. Explicit consent to a transfer
              abroad then needs the view of the data protection officer`

await runCommand(
  usage,
  { required: ['name', 'country'], optional: ['ods', 'zone', 'public-authority'] },
  async values => {
    const id = await withData(data =>
      addOrganisation(data, {
        name: values.name ?? '',
        odsCode: values.ods,
        country: values.country ?? '',
        timeZone: values.zone,
        publicAuthority: values['public-authority']
      })
    )
    console.log(id)
  }
)
