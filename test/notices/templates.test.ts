import t from 'tap'
import { noticeKinds } from '../../schemas/notice.ts'
import {
  GIVE_UP_MILLISECONDS,
  RETRY_FIRST_MILLISECONDS,
  RETRY_MILLISECONDS_MAX,
  retryDelay
} from '../../src/notices/attempt.ts'
import { renderMail, templates } from '../../src/notices/templates.ts'

const facts = {
  organisation: 'City <b>Hospital</b> & "Sons"',
  reference: '01930000-0000-7000-8000-000000000001',
  link: 'https://consilium.example/s#a.b.c',
  opensAt: Date.parse('2026-07-01T08:00:00Z'),
  closesAt: Date.parse('2026-12-01T16:30:00Z'),
  until: Date.parse('2026-11-30T00:00:00Z'),
  publicUrl: 'https://consilium.example'
}

t.test(
  'every kind has a mail, as text and as HTML that says the same and loads nothing',
  async t => {
    for (const kind of noticeKinds) {
      const { subject, text, html } = renderMail(kind, facts)
      t.match(subject, /^[\x20-\x7e]{10,70}$/, `${kind}: a subject of one line`)
      for (const part of [
        templates[kind].says,
        templates[kind].next,
        facts.reference,
        facts.link
      ]) {
        t.ok(text.includes(part) && html.includes(part), `${kind}: ${part}`)
      }
      t.notMatch(html, /<b>|<img|<script|<link|src=|url\(/, `${kind}: what others wrote is text`)
      t.match(html, /City &lt;b&gt;Hospital&lt;\/b&gt; &amp; &quot;Sons&quot;/)
      t.equal(/30 November 2026/.test(text), templates[kind].until !== undefined, kind)
      t.equal(/Reminders can be turned off/.test(text), templates[kind].reminder === true, kind)
    }
  }
)

t.test('times are told in UTC and in London, whatever the season', async t => {
  const { text } = renderMail('share-created', facts)
  t.match(text, /Opens: .*1 July 2026 at 08:00 UTC \(1 Jul 2026, 09:00 in London\)/)
  t.match(text, /Closes: .*1 December 2026 at 16:30 UTC \(1 Dec 2026, 16:30 in London\)/)
})

t.test('without a link or times there is no trace of them', async t => {
  const { organisation, reference, publicUrl } = facts
  const { text, html } = renderMail('share-opened', { organisation, reference, publicUrl })
  t.notMatch(text + html, /Opens|Closes|<a |undefined|null/)
})

t.test('waiting doubles up to a limit, less a random part', async t => {
  t.equal(
    retryDelay(1, () => 0),
    RETRY_FIRST_MILLISECONDS
  )
  t.equal(
    retryDelay(1, () => 1),
    RETRY_FIRST_MILLISECONDS / 2
  )
  t.equal(
    retryDelay(3, () => 0),
    RETRY_FIRST_MILLISECONDS * 4
  )
  for (const attempts of [9, 50, 5000]) {
    t.equal(
      retryDelay(attempts, () => 0),
      RETRY_MILLISECONDS_MAX
    )
  }
  let total = 0
  let attempts = 0
  while (total < GIVE_UP_MILLISECONDS) {
    attempts += 1
    total += retryDelay(attempts, () => 1)
  }
  t.ok(attempts < 100, `at most ${attempts} attempts before it is given up`)
})
