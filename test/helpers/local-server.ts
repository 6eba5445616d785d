import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from './free-port.ts'

const STARTS = 5
const TRIES = 600
const TRY_EVERY_MILLISECONDS = 50

/** How to start a server on this port of 127.0.0.1. */
export interface Recipe {
  command: string
  args: string[]
  env: Record<string, string>
  cwd: string
}

/** A server on 127.0.0.1. Whoever starts it stops it. */
export interface LocalServer {
  url: string
  stop(): Promise<void>
}

/**
 * Starts a server and waits until it answers with one of these statuses. Somebody else may take the
 * port between our look and the server's; then another is tried.
 */
export async function startOnFreePort(
  recipe: (port: number) => Recipe,
  ready: { path: string; status: number }
): Promise<LocalServer> {
  for (let start = 0; start < STARTS; start += 1) {
    const port = await freePort()
    const { command, args, env, cwd } = recipe(port)
    const child = spawn(command, args, { env, cwd, stdio: 'ignore' })
    const url = `http://127.0.0.1:${port}`
    if (await answers(child, `${url}${ready.path}`, ready.status)) {
      return { url, stop: () => end(child) }
    }
    await end(child)
  }
  throw new Error('A server that the tests need does not start.')
}

async function answers(child: ChildProcess, url: string, status: number): Promise<boolean> {
  for (let n = 0; n < TRIES && child.exitCode === null; n += 1) {
    const answer = await fetch(url).catch(() => undefined)
    await answer?.arrayBuffer().catch(() => {})
    if (answer?.status === status) return true
    await pause(TRY_EVERY_MILLISECONDS)
  }
  return false
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
