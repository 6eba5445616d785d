import { addOrganisation } from '../src/identity/enrol.ts'
import { runCommand, withData } from './command.ts'

const usage = `Adds an organisation and prints its id.

  npm run add-organisation -- --name NAME --country CODE [--ods CODE] [--zone NAME]

  --name      as it is called, e.g. "St Example NHS Trust"
  --country   ISO 3166-1, two letters: GB, IE, DE …
  --ods       its ODS code, e.g. RJ1; every organisation in the United Kingdom has one
  --zone      time zone its due dates are counted in, e.g. America/New_York; else Europe/London`

await runCommand(
  usage,
  { required: ['name', 'country'], optional: ['ods', 'zone'] },
  async values => {
    const id = await withData(data =>
      addOrganisation(data, {
        name: values.name ?? '',
        odsCode: values.ods,
        country: values.country ?? '',
        timeZone: values.zone
      })
    )
    console.log(id)
  }
)
