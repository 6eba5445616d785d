/**
 * The beginning of an environment for a process of ours: nothing of the tests' own but where programs
 * are and what Node has compiled before, which it keeps as scripts/run.mjs has it keep.
 */
export function plainEnvironment(): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env
  return { PATH, ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }) }
}

type Command = [command: string, ...args: string[]]

/**
 * The command that runs Node, with its first arguments. Tap has every Node that a test starts count
 * what it covers, which takes as long as starting, and a process that is killed cannot tell. `env`
 * takes what tap adds away again, and becomes Node: its process is ours. What `env` itself has for
 * Node stays.
 */
export function plainNode({ NODE_OPTIONS }: Record<string, string> = {}): Command {
  const options =
    NODE_OPTIONS === undefined ? ['-u', 'NODE_OPTIONS'] : [`NODE_OPTIONS=${NODE_OPTIONS}`]
  return ['env', ...options, process.execPath]
}

/** The tests whose services count what they cover: these end them in the proper way. */
const COUNTED = /test\/faults\/stop\.test\.ts$/

export function nodeForService(env: Record<string, string>): Command {
  return COUNTED.test(process.argv[1] ?? '') ? [process.execPath] : plainNode(env)
}

const ran = new Set<string>()

/** A script counts what it covers when a test file runs it for the first time. */
export function nodeForScript(script: string, env: Record<string, string>): Command {
  if (ran.has(script)) return plainNode(env)
  ran.add(script)
  return [process.execPath]
}
