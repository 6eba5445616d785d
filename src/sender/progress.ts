/** How often a terminal is written to, and a file or a pipe. */
const TERMINAL_MILLISECONDS = 200
const LINE_MILLISECONDS = 10_000
/** Over how long a rate is taken: a line changes its mind. */
const RATE_MILLISECONDS = 10_000
const MIB = 1024 ** 2

/** Where progress is told. */
export interface Screen {
  isTerminal: boolean
  columns: number
  write(text: string): void
}

export interface Progress {
  /** There is so much to do. */
  expect(files: number, bytes: number): void
  /** Bytes went over the line; negative when they did not count after all. */
  moved(bytes: number): void
  fileDone(): void
  /** Something happened that is worth a line of its own. */
  say(text: string): void
  end(): void
}

/** Progress with rate and time left: one line that changes on a terminal, and plain lines elsewhere. */
export function showProgress(screen: Screen, clock = () => performance.now()): Progress {
  let [files, filesDone, bytes, bytesDone] = [0, 0, 0, 0]
  let told = clock()
  let shown = false
  const marks: { at: number; bytes: number }[] = [{ at: clock(), bytes: 0 }]

  function clear(): void {
    if (shown) screen.write('\r\u001b[K')
    shown = false
  }

  function line(): string {
    const now = clock()
    while (marks.length > 1 && now - (marks[0]?.at ?? now) > RATE_MILLISECONDS) marks.shift()
    const first = marks[0] ?? { at: now, bytes: 0 }
    const rate = ((bytesDone - first.bytes) / Math.max(now - first.at, 1)) * 1000
    marks.push({ at: now, bytes: bytesDone })
    const left = bytesDone >= bytes ? 0 : (bytes - bytesDone) / rate
    return `${filesDone} of ${files} files, ${mib(bytesDone)} of ${mib(bytes)} MiB, ${mib(rate)} MiB/s, ${timeText(left)} left`
  }

  function tell(): void {
    const every = screen.isTerminal ? TERMINAL_MILLISECONDS : LINE_MILLISECONDS
    if (files === 0 || clock() - told < every) return
    told = clock()
    if (!screen.isTerminal) {
      screen.write(`${line()}\n`)
      return
    }
    clear()
    screen.write(line().slice(0, screen.columns - 1))
    shown = true
  }

  return {
    expect(moreFiles, moreBytes) {
      files += moreFiles
      bytes += moreBytes
    },
    moved(more) {
      bytesDone = Math.max(0, bytesDone + more)
      tell()
    },
    fileDone() {
      filesDone += 1
      tell()
    },
    say(text) {
      clear()
      screen.write(`${text}\n`)
    },
    end: clear
  }
}

const mib = (value: number): string => (value / MIB).toFixed(value < 10 * MIB ? 1 : 0)

/** As in 1 h 05 min, or 12 s. */
function timeText(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return 'an unknown time'
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  const minutes = Math.ceil(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

/** A name as it can be shown: a terminal would act on some of the characters a name may have. */
export const shown = (name: string): string =>
  name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, hidden => `\\u{${hidden.codePointAt(0)?.toString(16)}}`)
