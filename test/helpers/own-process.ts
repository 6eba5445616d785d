/**
 * The beginning of an environment for a process of ours: nothing of the tests' own but where programs
 * are and what Node has compiled before, which it keeps as scripts/run.mjs has it keep.
 */
export function plainEnvironment(): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env
  return { PATH, ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }) }
}

/** The tests whose services tell what they covered: these end them in the proper way. */
const COUNTED = /test\/faults\/stop\.test\.ts$/

/**
 * The command that runs Node, with its first arguments. Tap would have every Node that a test starts
 * count what it covers. A service that is killed cannot tell, and counting takes as long as starting:
 * `env` takes what tap adds away again, and becomes Node, so its process is the service's.
 */
export function plainNode(): [command: string, ...args: string[]] {
  if (COUNTED.test(process.argv[1] ?? '')) return [process.execPath]
  return ['env', '-u', 'NODE_OPTIONS', process.execPath]
}
