import { openDisclosures } from '../src/audit/disclosures.ts'
import { ConfigError, readConfig } from '../src/config.ts'
import { checkExchange } from '../src/housekeeping/check-exchange.ts'
import { lockData, openBlobs, openData, requireAlone, requireData } from '../src/open-data.ts'

// Checks everything in the data directory while no service uses it, and names each fault.
// Exit codes: 0 all is well, 1 faults were found or the data cannot be opened.
try {
  const config = readConfig(process.env)
  requireData(config)
  const lock = lockData(config)
  const data = await openData(config)
  let faults: string[] = []
  try {
    await requireAlone(data)
    const blobs = await openBlobs(config)
    const disclosures = openDisclosures(data.database, data.audit, data.clock)
    await disclosures.recover()
    faults = await checkExchange({ ...data, blobs, disclosures })
    await disclosures.close()
    await blobs.close()
  } finally {
    await data.close()
    lock.release()
  }
  for (const fault of faults) console.log(fault)
  console.log(faults.length === 0 ? 'All is well.' : `${faults.length} faults.`)
  process.exitCode = faults.length === 0 ? 0 : 1
} catch (err) {
  console.error(err instanceof ConfigError ? err.message : err)
  process.exitCode = 1
}
