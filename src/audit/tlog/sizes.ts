// Sizes and indexes are safe integers, beyond the 32 bits that the bitwise operators reach.

export function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

export function assertSize(size: number): void {
  if (!isSize(size)) throw new RangeError('The size of a tree is a safe integer, 0 or more.')
}

/** Bits needed to write the number. Math.log2 would round near 2^53. */
export function bitLength(value: number): number {
  const high = Math.floor(value / 2 ** 32)
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(value)
}

export function isPowerOfTwo(value: number): boolean {
  return isSize(value) && value > 0 && value === 2 ** (bitLength(value) - 1)
}
