/** The host of an owner whose values' transfers are written down (task-events.ts): from where, how much, how long. */
import type { OwnerHost } from './host.ts'
import type { TaskEvents } from './task-events.ts'

export function recordedPulls(host: OwnerHost, events: TaskEvents): OwnerHost {
  const pull: OwnerHost['pull'] = async (key, sizeBytes, holders, ownerNode) => {
    const begunMs = performance.now()
    const told = (error: string): void => {
      const micros = Math.round((performance.now() - begunMs) * 1000)
      const from = holders.map(([node]) => node).join(' ')
      events.add('transferred', { key, bytes: sizeBytes, from, to: host.self.node, micros, error })
    }
    try {
      await host.pull(key, sizeBytes, holders, ownerNode)
    } catch (error) {
      told((error as Error).message)
      throw error
    }
    told('')
  }
  // What else the host has is read through: some of it comes later.
  return Object.create(host, { pull: { value: pull, enumerable: true } }) as OwnerHost
}
