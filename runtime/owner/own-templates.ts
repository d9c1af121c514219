/**
 * The templates of this process, by number. Whoever wraps the same function with the same options again, for each call
 * perhaps, gets the template that there is: here and at every worker there is one of each.
 */
import { encodeTemplate, isExact, type TemplateBody } from './template.ts'
import type { TaskTemplate } from './submit-types.ts'

export type DefinedOptions = Pick<TaskTemplate, 'classIndex' | 'retryExceptions' | 'timeoutMs' | 'startOf'>

export class OwnTemplates {
  readonly #bytes: (Uint8Array | undefined)[] = []
  /** By bytes and options. */
  readonly #shared = new Map<string, TaskTemplate>()

  /** `isShared`: any call of the same function may use it. One for a worker of one's own ends with that. */
  define(body: TemplateBody, options: DefinedOptions, isShared: boolean): TaskTemplate {
    const bytes = encodeTemplate(body)
    const { classIndex, retryExceptions, timeoutMs, startOf } = options
    const text = isShared ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1') : ''
    const key = `${classIndex} ${retryExceptions} ${timeoutMs} ${text}`
    const known = isShared ? this.#shared.get(key) : undefined
    if (known !== undefined) return known
    const { name, maxRetries, numReturns } = body
    const template: TaskTemplate = {
      ...{ number: this.#bytes.length, name, maxRetries, numReturns, classIndex, retryExceptions, timeoutMs },
      ...{ generates: body.mode === 'generate', isExact: isExact(body.mode), runMicros: -1, deviationMicros: 0 },
      ...(startOf !== undefined && { startOf }),
    }
    this.#bytes.push(bytes)
    if (isShared) this.#shared.set(key, template)
    return template
  }

  bytesOf(number: number): Uint8Array | undefined {
    return this.#bytes[number]
  }

  forget(number: number): void {
    this.#bytes[number] = undefined
  }
}
