/**
 * As the first process of its pid namespace: leaves orphans behind, and prints how many zombies there are in the end, and
 * how its own children ended.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { noteZombie } from '../../../runtime/base/process-identity.ts'
import { reapOrphans } from '../../../runtime/cluster/orphans.ts'

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const zombies = (): number =>
  readdirSync('/proc').filter((name) => noteZombie(Number(name), process.pid) !== undefined).length

for (let round = 0; round < 5; round++) spawnSync('sh', ['-c', 'sleep 0.1 & setsid sleep 0.1 &'])
while (zombies() < 10) await sleep(20)
const most = zombies()
reapOrphans(100)
const codes: unknown[] = []
for (let code = 0; code < 20; code++) {
  const [ended] = (await once(spawn('sh', ['-c', `sleep 0.02; exit ${code}`]), 'exit')) as [number]
  codes.push(ended)
}
while (zombies() > 0) await sleep(20)
console.log(JSON.stringify({ pid: process.pid, most, left: zombies(), codes }))
