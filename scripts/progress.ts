const PROGRESS_MILLISECONDS = 2000
const MIB = 1024 * 1024

/** True now and then: whether it is time to tell again how far long work is. */
export function nowAndThen(): () => boolean {
  let told = performance.now()
  return () => {
    const now = performance.now()
    if (now - told < PROGRESS_MILLISECONDS) return false
    told = now
    return true
  }
}

/** Says now and then, on standard error, how far a backup or a restore is. */
export function tellProgress(): (objects: number, of: number, bytes: number) => void {
  const began = performance.now()
  const isTime = nowAndThen()
  return (objects, of, bytes) => {
    if (!isTime()) return
    const rate = Math.round(bytes / MIB / ((performance.now() - began) / 1000))
    console.error(`${objects} of ${of} objects, ${Math.round(bytes / MIB)} MiB, ${rate} MiB/s`)
  }
}

/** The same for the objects of a move, of which some may have been there before: with the time left. */
export function tellObjects(): (
  done: number,
  of: number,
  bytes: number,
  bytesOf: number,
  copied: number
) => void {
  const began = performance.now()
  const isTime = nowAndThen()
  return (done, of, bytes, bytesOf, copied) => {
    if (!isTime()) return
    const rate = copied / ((performance.now() - began) / 1000)
    const mib = (value: number) => Math.round(value / MIB)
    const left = timeOf((bytesOf - bytes) / rate)
    console.error(
      `${done} of ${of} objects, ${mib(bytes)} of ${mib(bytesOf)} MiB, ${mib(rate)} MiB/s, ${left} left`
    )
  }
}

/** How far some number of like things is, with rate and time left. */
export function tellCount(what: string): (done: number, of: number) => void {
  const began = performance.now()
  const isTime = nowAndThen()
  return (done, of) => {
    if (!isTime()) return
    const rate = done / ((performance.now() - began) / 1000)
    const left = timeOf((of - done) / rate)
    console.error(`${done} of ${of} ${what}, ${Math.round(rate)} a second, ${left} left`)
  }
}

/** As in 1 h 05 min, or 12 s. */
export function timeOf(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return 'an unknown time'
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  const minutes = Math.ceil(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

/** Says which drafts a copy of everything is without. */
export function tellLeftOut(
  { drafts = 0, draftBytes = 0 }: { drafts?: number; draftBytes?: number },
  andThen: string
): void {
  if (drafts === 0) return
  console.log(`Left out: ${drafts} drafts, ${draftBytes} bytes of them have come, ${andThen}.`)
}
