/**
 * `npm start`: makes the clone ready, then runs the main job in this process, so that its exit code, its signals and its
 * output are its own. Arguments go to it; stdout carries nothing but what it prints.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bootstrap } from './bootstrap.mjs'
import { root } from './build.mjs'

const program = join(root, 'migration-guide/examples/main-job.mjs')

try {
  await bootstrap()
  if (!existsSync(program)) throw new Error(`${program} does not exist`)
} catch (error) {
  console.error(`npm start: ${error.message}`)
  process.exit(1)
}
process.argv[1] = program
await import(pathToFileURL(program).href)
