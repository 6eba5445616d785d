import { buildApp } from './app.ts'
import { ConfigError, readConfig } from './config.ts'
import { cleanUp } from './housekeeping/clean-up.ts'
import { createLogger } from './log.ts'
import { deliverNotices } from './notices/deliver.ts'
import { openMailer } from './notices/mailer.ts'
import { openPost } from './notices/webhooks/post.ts'
import { prepareData, sharedHours } from './open-data.ts'
import { scanWaiting } from './records/scan/background.ts'
import { tellScanner } from './records/scan/tell-scanner.ts'
import { firstAdministratorCode } from './sessions/first-administrator.ts'

/** The process: configuration, data, service, listen; and in reverse when it is told to stop. */
async function main(): Promise<void> {
  const config = readConfig(process.env)
  process.umask(0o077)
  const data = await prepareData(config)
  const log = createLogger(config.logLevel)
  const app = await buildApp(config, log)
  // What an ended process left half-written, of whatever age when there is no other.
  const alone = (await app.exchange.database.runs()).size === 1
  await app.exchange.blobs.sweepUnfinished(alone)

  const recordRun = (action: 'service.start' | 'service.stop') =>
    app.exchange.audit.add({ action, outcome: 'success', details: {} })
  await recordRun('service.start')
  await app.fastify.listen({ host: config.host, port: config.port })
  const code = await firstAdministratorCode(app.exchange)
  if (process.stdout.isTTY || data.isNew || code !== undefined) {
    tellWhatNext(config.publicUrl, data.isNew, code)
  }
  const housekeeping = cleanUp(app.exchange, sharedHours(config))
  const scanning = scanWaiting(app.exchange)
  if (config.mail === undefined) log.warn('no e-mail is configured: no notice leaves')
  const notices = deliverNotices({
    ...app.exchange,
    sendMail: config.mail && openMailer(config.mail),
    postWebhook: openPost(app.exchange.targets)
  })

  let stopping = false
  const stop = async () => {
    if (stopping) return
    stopping = true
    log.info('stopping')
    // Beside the requests that end: a mail server that takes its time keeps nobody from being told.
    await app.stop(async () => {
      await Promise.all([housekeeping.stop(), scanning.stop(), notices.stop()])
      await recordRun('service.stop').catch(() => {})
    })
    data.release()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // Last: one that does not answer takes seconds, in which a stop must find who sees to it.
  await tellScanner(app.exchange.scanner, log)
}

/**
 * On the console and never in the log: whoever reads the code there may become the administrator, and a
 * log is read by more people, for longer.
 */
function tellWhatNext(publicUrl: string, isNew: boolean, code: string | undefined): void {
  console.error(`
Consilium is ready at ${publicUrl}   (API description: ${publicUrl}/docs)
${isNew ? 'Made the key ring, the signing keys and the database. Back up the keys directory now.\n' : ''}${
  code === undefined
    ? ''
    : `
There is no administrator yet. To become it, open ${publicUrl}/enrol/first
and type or paste this code. It is good once, for three days, until the next start or until there is one:

    ${code}
`
}
Administrators add everybody else at ${publicUrl}/administration/people.
Systems that call the API (see npm run add-client -- --help) get a key for an account:
  npm run add-client -- --account ID --out client.json
`)
}

main().catch(err => {
  // A configuration problem is the operator's to read; anything else is told with where it happened.
  console.error(err instanceof ConfigError ? err.message : err)
  process.exit(1)
})
