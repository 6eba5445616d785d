import { readClientKey, requestToken } from '../src/sender/machine-client.ts'
import { runCommand } from './command.ts'

const usage = `Gets an access token for a machine client and prints it. It is good for five minutes.

  npm run -s token -- --client FILE [--url URL]

  --client   the file that add-client wrote
  --url      what the service calls itself (CONSILIUM_URL); http://localhost:3000 if not given

  curl -H "Authorization: Bearer $(npm run -s token -- --client FILE)" http://localhost:3000/v1/account`

const URL_DEFAULT = 'http://localhost:3000'

await runCommand(usage, { required: ['client'], optional: ['url'] }, async values => {
  const key = await readClientKey(values.client ?? '')
  console.log((await requestToken(values.url ?? URL_DEFAULT, key)).value)
})
