import { createInterface } from 'node:readline'
import { simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'

// A mail server as a process of its own, for the demonstrations: it takes everything, keeps nothing,
// and tells each message on one line of JSON. It ends when its standard input does.

const server = new SMTPServer({
  logger: false,
  disableReverseLookup: true,
  disabledCommands: ['STARTTLS', 'AUTH'],
  authOptional: true,
  onData(stream, session, done) {
    simpleParser(stream).then(mail => {
      const to = session.envelope.rcptTo.map(({ address }) => address)
      const told = { to, subject: mail.subject, text: mail.text, html: mail.html }
      console.log(JSON.stringify(told))
      done()
    }, done)
  }
})
server.listen(0, '127.0.0.1', () => {
  const address = server.server.address()
  if (typeof address !== 'object' || address === null) throw new Error('It does not listen.')
  console.log(JSON.stringify({ port: address.port }))
})
createInterface({ input: process.stdin }).on('close', () => server.close())
