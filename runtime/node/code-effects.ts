/** The code cache of a node manager: opened at its first use, answering the workers that ask. */
import { join } from 'node:path'
import type { ProcessId } from '../base/ids.ts'
import { withAdvice } from '../base/system-advice.ts'
import { MessageType } from '../protocol/messages.ts'
import type { CodePlace } from '../protocol/messages.ts'
import { defaultCodeCacheLimits } from './code-cache-state.ts'
import { CodeCache, type CodeStats } from './code-cache.ts'
import type { NodeParts } from './node-parts.ts'

export interface NodeCode {
  readonly stats: CodeStats
  need(worker: ProcessId, requestId: number, key: string): void
  made(worker: ProcessId, key: string, bytes: number): void
  notMade(worker: ProcessId, key: string, text: string, again: boolean): void
  workerGone(worker: ProcessId): void
}

/** `parts` is called when the cache is used, when all parts are there. */
export function openCodeCache(parts: () => NodeParts): NodeCode {
  let opened: CodeCache | undefined
  return {
    need(worker, requestId, key) {
      try {
        opened ??= open(parts())
      } catch (error) {
        const text = `the code cache of node ${parts().options.id} cannot be used: ${withAdvice(error)}`
        return tell(parts(), worker, requestId, 'failed', text)
      }
      opened.need(worker, requestId, key)
    },
    made(worker, key, bytes) {
      opened?.made(worker, key, bytes)
    },
    notMade(worker, key, text, again) {
      opened?.notMade(worker, key, text, again)
    },
    get stats() {
      return opened?.stats ?? { entries: 0, bytes: 0, made: 0 }
    },
    workerGone(worker) {
      opened?.gone(worker)
    },
  }
}

function tell({ connections }: NodeParts, who: string, requestId: number, state: CodePlace[2], text: string): void {
  connections.find(who as ProcessId)?.send([MessageType.codePlace, requestId, state, text])
}

function open(parts: NodeParts): CodeCache {
  const { options, ports } = parts
  const { folder = join(options.runFolder, 'code'), ...limits } = options.codeCache ?? {}
  return new CodeCache(
    folder,
    { ...defaultCodeCacheLimits, ...limits },
    {
      ready: (who, requestId, path) => tell(parts, who, requestId, 'ready', path),
      make: (who, requestId, path) => tell(parts, who, requestId, 'make', path),
      failed: (who, requestId, text) => tell(parts, who, requestId, 'failed', text),
      warn: (text) => ports.events.warn(text),
    },
  )
}
