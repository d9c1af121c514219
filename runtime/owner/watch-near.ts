/** Waiting for values that are to be read here. */
import { objectKey } from '../base/ids.ts'
import type { ObjectTuple, RefTuple } from '../protocol/messages.ts'
import type { OwnerHost } from './host.ts'
import type { Owner } from './owner.ts'

/**
 * As `OwnerValues.watch`, but a value that is stored elsewhere is brought to the store of this machine first. What cannot
 * be brought counts as ready, as an error does: `get` tells why.
 */
export function watchNear(
  { host, values }: Pick<Owner, 'host' | 'values'>,
  ref: RefTuple,
  then: () => void,
): () => void {
  let stop: (() => void) | undefined
  // Until it is here, whoever waits for it or not, and whether or not the last handle goes meanwhile.
  const release = values.hold(ref)
  const unwatch = values.watch(ref, (outcome) => {
    if (isNear(host, outcome)) {
      release()
      return then()
    }
    const leave = host.enterWait()
    let over = false
    stop = () => {
      if (!over) leave()
      over = true
    }
    const end = (): void => {
      const wanted = !over
      stop?.()
      release()
      if (wanted) then()
    }
    bring({ host, values }, ref, outcome).then(() => {
      values.brought(ref)
      end()
    }, end)
  })
  return () => {
    unwatch()
    if (stop === undefined) release()
    else stop()
  }
}

/** Where it is read from, or as near as it gets: a process that shares no store with a node has none to bring it to. */
function isNear({ home, self }: OwnerHost, outcome: ObjectTuple): boolean {
  return outcome[0] !== 'stored' || !home.sameMachine || outcome[2].some(([node]) => node === self.node)
}

async function bring(
  { host, values }: Pick<Owner, 'host' | 'values'>,
  ref: RefTuple,
  outcome: ObjectTuple,
): Promise<void> {
  if (outcome[0] !== 'stored') return
  const [owner, number, node] = ref
  const key = objectKey({ owner, number })
  if (await host.store.contains(key)) return
  values.comes(ref)
  await host.pull(key, outcome[1], outcome[2], node)
}
