const PROGRESS_MILLISECONDS = 2000
const MIB = 1024 * 1024

/** Says now and then, on standard error, how far a backup or a restore is. */
export function tellProgress(): (objects: number, of: number, bytes: number) => void {
  const began = performance.now()
  let told = began
  return (objects, of, bytes) => {
    const now = performance.now()
    if (now - told < PROGRESS_MILLISECONDS) return
    told = now
    const rate = Math.round(bytes / MIB / ((now - began) / 1000))
    console.error(`${objects} of ${of} objects, ${Math.round(bytes / MIB)} MiB, ${rate} MiB/s`)
  }
}
