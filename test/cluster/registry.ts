/** A registry on loopback that serves packages as they are installed here, and the lockfile that names them there. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { findPackage } from '../../runtime/code/modules/npm-package.ts'
import { layOut } from '../../runtime/code/modules/package-tree.ts'

export class Registry {
  readonly #folder = mkdtempSync(join(tmpdir(), 'registry-'))
  readonly #server: Server
  /** What was asked for, in order. */
  readonly asked: string[] = []

  private constructor() {
    this.#server = createServer((request, response) => {
      const name = basename(request.url ?? '')
      this.asked.push(name)
      try {
        response.end(readFileSync(join(this.#folder, name)))
      } catch {
        response.writeHead(404).end()
      }
    })
  }

  static async start(): Promise<Registry> {
    const registry = new Registry()
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve))
    return registry
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  /** A package-lock.json for a project of these dependencies, out of what is installed beside `from`. */
  lockfile(name: string, dependencies: readonly string[], from: string): string {
    const roots = dependencies.flatMap((each) => findPackage(each, from) ?? [])
    const { placed } = layOut(roots, findPackage)
    const names = new Set(placed.map(({ npm }) => npm.name))
    const wanted = (of: Readonly<Record<string, string>> = {}): Record<string, string> =>
      Object.fromEntries(Object.entries(of).filter(([each]) => names.has(each)))
    const packages: Record<string, unknown> = {
      '': { name, dependencies: Object.fromEntries(roots.map((npm) => [npm.name, npm.version])) },
    }
    for (const { npm, path } of placed) {
      const json = JSON.parse(readFileSync(join(npm.folder, 'package.json'), 'utf8')) as Record<
        'dependencies' | 'optionalDependencies',
        Record<string, string> | undefined
      >
      packages[path] = {
        version: npm.version,
        ...this.#publish(npm.folder, `${npm.name.replace('/', '-')}-${npm.version}.tgz`),
        dependencies: wanted(json.dependencies),
        optionalDependencies: wanted(json.optionalDependencies),
      }
    }
    return JSON.stringify({ name, lockfileVersion: 3, requires: true, packages })
  }

  #publish(folder: string, file: string): { resolved: string; integrity: string } {
    const copy = mkdtempSync(join(this.#folder, 'copy-'))
    cpSync(folder, join(copy, 'package'), {
      recursive: true,
      filter: (source) => source === folder || basename(source) !== 'node_modules',
    })
    execFileSync('tar', ['-czf', join(this.#folder, file), '-C', copy, 'package'])
    rmSync(copy, { recursive: true })
    const integrity = createHash('sha512')
      .update(readFileSync(join(this.#folder, file)))
      .digest('base64')
    return { resolved: this.url + file, integrity: `sha512-${integrity}` }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
