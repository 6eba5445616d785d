import { execFile } from 'node:child_process'
import { nodeForScript, plainEnvironment } from '../helpers/own-process.ts'

export interface Ran {
  exit: number
  out: string
  err: string
}

/** Runs one of our scripts as an operator would. */
export function runScript(
  script: string,
  env: Record<string, string>,
  ...args: string[]
): Promise<Ran> {
  const file = new URL(`../../scripts/${script}.ts`, import.meta.url).pathname
  const whole = { ...plainEnvironment(), ...env }
  const [node, ...options] = nodeForScript(script, env)
  return new Promise(resolve => {
    execFile(node, [...options, file, ...args], { env: whole }, (err, out, told) => {
      const exit = err === null ? 0 : Number(err.code)
      resolve({ exit, out: out.trim(), err: told })
    })
  })
}
