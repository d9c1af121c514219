/** A lock between processes: a file that names its holder, taken by creating it, and taken over when the holder is gone. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 100

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function tryTake(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    return false
  }
}

function holderOf(file) {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** Runs `work` while no other process runs work under the same lock file. */
export async function withLock(file, work) {
  mkdirSync(dirname(file), { recursive: true })
  let announced = false
  while (!tryTake(file)) {
    const holder = holderOf(file)
    // 0 is a file that its maker has created and not yet written: it will be there at the next look.
    if (holder !== undefined && holder !== 0 && !isAlive(holder)) rmSync(file, { force: true })
    else if (!announced) {
      announced = true
      console.error(`waiting for process ${holder ?? '?'}, which installs or builds in the same folder`)
    }
    await sleep(pollMs)
  }
  const release = () => rmSync(file, { force: true })
  process.on('exit', release)
  try {
    return await work()
  } finally {
    process.off('exit', release)
    release()
  }
}
