import { addAccount } from '../src/identity/enrol.ts'
import { runCommand, withData } from './command.ts'

const usage = `Adds an account to an organisation and prints the account's id.

  npm run add-account -- --organisation ID|ODS --role ROLE --name NAME
                         [--body BODY --number NUMBER] [--country CODE] [--email ADDRESS]

  --organisation   its id, or its ODS code
  --role           clinician, specialist, auditor or administrator
  --name           of the person, e.g. "Dr Ada Example", or of the system that acts for them
  --body           who registered them, e.g. GMC; clinicians and specialists need it
  --number         their number in that register; for the GMC 7 digits
  --country        where they work, ISO 3166-1; that of the organisation if not given
  --email          where notices go; without it there are none`

const options = {
  required: ['organisation', 'role', 'name'],
  optional: ['body', 'number', 'country', 'email']
}

await runCommand(usage, options, async values => {
  const id = await withData(data =>
    addAccount(data, {
      organisation: values.organisation ?? '',
      role: values.role ?? '',
      name: values.name ?? '',
      professionalBody: values.body,
      registrationNumber: values.number,
      country: values.country,
      email: values.email
    })
  )
  console.log(id)
})
