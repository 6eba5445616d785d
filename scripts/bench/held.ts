import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// Holds a process to a part of a core, as on a small machine of its own, by a control group of Linux
// (cgroups(7)): without it two processes on one machine only take its cores from each other.

const ROOT = '/sys/fs/cgroup'
/** Short, so that a process that holds a lock in the database is not stopped for long. */
const PERIOD_MICROSECONDS = 10_000

/**
 * Holds the process, its threads included, to so many cores (0.3, say). Returns what lets go of it
 * again, or undefined where it cannot be had: without Linux, without the right to make control
 * groups, or where the processor is not given to them.
 */
export function holdTo(cores: number, pid: number): (() => void) | undefined {
  const quota = Math.round(cores * PERIOD_MICROSECONDS)
  const above = placeOfGroups()
  const group = join(above, `consilium-bench-${pid}`)
  try {
    mkdirSync(group)
  } catch {
    return undefined
  }
  const letGo = () => {
    writeFileSync(join(above, 'cgroup.procs'), String(pid))
    rmdirSync(group)
  }
  try {
    if (existsSync(join(group, 'cpu.cfs_quota_us'))) {
      writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_MICROSECONDS))
      writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quota))
    } else {
      writeFileSync(join(group, 'cpu.max'), `${quota} ${PERIOD_MICROSECONDS}`)
    }
    writeFileSync(join(group, 'cgroup.procs'), String(pid))
    return letGo
  } catch {
    rmdirSync(group)
    return undefined
  }
}

/** Version 1 has a tree for the processor alone; version 2 has one tree. */
function placeOfGroups(): string {
  const old = join(ROOT, 'cpu')
  if (existsSync(join(old, 'cpu.cfs_quota_us')) || existsSync(join(old, 'cgroup.procs'))) return old
  const controllers = join(ROOT, 'cgroup.subtree_control')
  try {
    if (!readFileSync(controllers, 'utf8').split(/\s+/).includes('cpu')) {
      writeFileSync(controllers, '+cpu')
    }
  } catch {
    // Then no group below it has the processor, and holding says that it cannot be had.
  }
  return ROOT
}
