/** As a letter says it. GMT or BST is told, because one hour of each October comes twice. */
const format = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/London',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  timeZoneName: 'short'
})

/** A moment, in milliseconds UTC, on the clocks of the United Kingdom: 2 November 2026, 14:03:22 GMT. */
export function londonTime(milliseconds: number): string {
  const parts = new Map(format.formatToParts(milliseconds).map(({ type, value }) => [type, value]))
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? ''
  const clock = `${part('hour')}:${part('minute')}:${part('second')} ${part('timeZoneName')}`
  return `${part('day')} ${part('month')} ${part('year')}, ${clock}`
}
