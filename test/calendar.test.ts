import t from 'tap'
import { dayEnds, dayIn, daysBetween, isTimeZone } from '../src/calendar.ts'

/** The last day and the first moment after it, worked out by hand from the offset of that night. */
const ends: [zone: string, date: string, over: string][] = [
  ['Europe/London', '2027-01-15', '2027-01-16T00:00:00.000Z'],
  ['Europe/London', '2027-03-27', '2027-03-28T00:00:00.000Z'],
  // The day the clocks go forward has 23 hours, the day they go back 25.
  ['Europe/London', '2027-03-28', '2027-03-28T23:00:00.000Z'],
  ['Europe/London', '2027-10-30', '2027-10-30T23:00:00.000Z'],
  ['Europe/London', '2027-10-31', '2027-11-01T00:00:00.000Z'],
  ['America/New_York', '2027-03-14', '2027-03-15T04:00:00.000Z'],
  ['America/New_York', '2027-11-07', '2027-11-08T05:00:00.000Z'],
  ['Asia/Kolkata', '2027-06-30', '2027-06-30T18:30:00.000Z'],
  ['Pacific/Kiritimati', '2027-12-31', '2027-12-31T10:00:00.000Z'],
  ['Etc/GMT+12', '2027-12-31', '2028-01-01T12:00:00.000Z'],
  ['UTC', '2028-02-29', '2028-03-01T00:00:00.000Z'],
  // Clocks that go back at midnight show the day before once more, and it counts.
  ['America/Havana', '2027-11-06', '2027-11-07T04:00:00.000Z'],
  // A day that a zone never had is over when the next begins.
  ['Pacific/Apia', '2011-12-30', '2011-12-30T10:00:00.000Z']
]

t.test('a day is over when its date no longer shows, wherever it is', async t => {
  for (const [zone, date, over] of ends) {
    const at = dayEnds(zone, date)
    t.equal(new Date(at).toISOString(), over, `${date} in ${zone}`)
    t.ok(dayIn(zone, at) > date, 'then another day shows')
    t.ok(dayIn(zone, at - 1) <= date, 'and a millisecond before it did not')
  }
})

t.test('the same moment is another day elsewhere', async t => {
  const at = Date.parse('2027-06-30T11:00:00Z')
  t.equal(dayIn('Pacific/Kiritimati', at), '2027-07-01')
  t.equal(dayIn('Europe/London', at), '2027-06-30')
  t.equal(dayIn('Etc/GMT+12', at), '2027-06-29')
})

t.test('days between dates, over clock changes and leap days', async t => {
  t.equal(daysBetween('2027-03-27', '2027-03-29'), 2)
  t.equal(daysBetween('2028-02-28', '2028-03-01'), 2)
  t.equal(daysBetween('2027-01-02', '2027-01-01'), -1)
})

t.test('names of zones', async t => {
  for (const zone of ['Europe/London', 'America/Argentina/Ushuaia', 'UTC', 'Etc/GMT+12']) {
    t.ok(isTimeZone(zone), zone)
  }
  for (const zone of ['', 'Mars/Olympus', '+01:00', '05:30', 'Europe/London ', '../etc/passwd']) {
    t.notOk(isTimeZone(zone), zone)
  }
})
