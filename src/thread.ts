import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * A thread of the module at `url` that inherits no flags and no environment: it needs none, and secrets
 * may be in them. Only where Node keeps what it made of our files is told: without that a thread takes
 * more than twice the time to start, because it would have to strip the types once more.
 */
export function startThread(
  url: URL,
  options: Pick<WorkerOptions, 'name' | 'workerData' | 'resourceLimits'>
): Worker {
  // Node names the folder of this version in it; what it wants to be told is the one around.
  const cache = getCompileCacheDir()
  return new Worker(url, {
    ...options,
    execArgv: [],
    env: cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) }
  })
}
