import { spawnSync } from 'node:child_process'

// Types and style, both, so that one run tells everything there is to mend.
const failed = [
  ['tsc', '--project', '.'],
  ['biome', 'check', '.']
].filter(([command = '', ...args]) => spawnSync(command, args, { stdio: 'inherit' }).status !== 0)
process.exitCode = failed.length === 0 ? 0 : 1
