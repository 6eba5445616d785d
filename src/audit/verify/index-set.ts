/** Indexes in one page: a KiB of bits. */
const PAGE_INDEXES = 8192
const BYTE_BITS = 8

/** A set of indexes of events: one bit each where there are any, so ten million take 1.2 MiB. */
export interface IndexSet {
  /** False when it was there already. */
  add(index: number): boolean
  has(index: number): boolean
  /** All of them; ascending when they were added so. */
  values(): Generator<number>
  size(): number
}

export function indexSet(): IndexSet {
  const pages = new Map<number, Uint8Array>()
  let size = 0

  const placeOf = (index: number) => {
    const within = index % PAGE_INDEXES
    const page = Math.floor(index / PAGE_INDEXES)
    return { page, byte: Math.floor(within / BYTE_BITS), bit: 1 << (within % BYTE_BITS) }
  }

  function has(index: number): boolean {
    const { page, byte, bit } = placeOf(index)
    return ((pages.get(page)?.[byte] ?? 0) & bit) !== 0
  }

  return {
    has,
    add(index) {
      if (has(index)) return false
      const { page, byte, bit } = placeOf(index)
      const bytes = pages.get(page) ?? new Uint8Array(PAGE_INDEXES / BYTE_BITS)
      bytes[byte] = (bytes[byte] ?? 0) | bit
      pages.set(page, bytes)
      size += 1
      return true
    },
    *values() {
      for (const page of pages.keys()) {
        const first = page * PAGE_INDEXES
        for (let index = first; index < first + PAGE_INDEXES; index += 1) {
          if (has(index)) yield index
        }
      }
    },
    size: () => size
  }
}
