/** The code cache of a node manager: opened at its first use, answering the workers that ask. */
import { join } from 'node:path'
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { CodePlace } from '../protocol/messages.ts'
import { defaultCodeCacheLimits } from './code-cache-state.ts'
import { CodeCache, type CodeStats } from './code-cache.ts'
import type { NodeParts } from './node-parts.ts'

export interface NodeCode {
  readonly cache: CodeCache
  readonly stats: CodeStats
  workerGone(worker: ProcessId): void
}

/** `parts` is called when the cache is used, when all parts are there. */
export function openCodeCache(parts: () => NodeParts): NodeCode {
  let opened: CodeCache | undefined
  return {
    get cache() {
      opened ??= open(parts())
      return opened
    },
    get stats() {
      return opened?.stats ?? { entries: 0, bytes: 0, made: 0 }
    },
    workerGone(worker) {
      opened?.gone(worker)
    },
  }
}

function open({ options, connections, ports }: NodeParts): CodeCache {
  const { folder = join(options.runFolder, 'code'), ...limits } = options.codeCache ?? {}
  const tell = (who: string, requestId: number, state: CodePlace[2], text: string): void =>
    connections.find(who as ProcessId)?.send([MessageType.codePlace, requestId, state, text])
  return new CodeCache(
    folder,
    { ...defaultCodeCacheLimits, ...limits },
    {
      ready: (who, requestId, path) => tell(who, requestId, 'ready', path),
      make: (who, requestId, path) => tell(who, requestId, 'make', path),
      failed: (who, requestId, text) => tell(who, requestId, 'failed', text),
      warn: (text) => ports.events.warn(text),
    },
  )
}
