/**
 * Puts the modules of the sources into few files, so that a process starts without resolving hundreds of them, and each
 * module still exists once: a file for what workers and drivers both need (`core`), one each for what only they need
 * (`worker`, `driver`), and others for each entry and for whatever else several entries share. These others become
 * scripts that V8 can keep compiled. Not minified: stack traces and shipped functions stay readable.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { compiledScripts, rootOfDist } from './compiled-scripts.mjs'
import { isLazyChunk, lazyModules, reachOf } from './lazy-chunks.mjs'

export const sourceFolders = ['lib', 'compat', 'runtime']

/** Processes of their own, by a path that depends on whether the sources run. */
const startedByPath = ['runtime/worker/entry.ts', 'runtime/cluster/daemon-entry.ts']
/** Of these, what becomes a CommonJS script. */
const commonJs = ['runtime/worker/entry.js']
/** What processes of a kind begin with, as one script each: by the entry, with the chunks that its first call loads. */
const starts = {
  'runtime/worker/entry.js': { name: 'worker-start', soon: [] },
  'lib/index.js': { name: 'driver-start', soon: ['errors', 'early'] },
}
/** What tests need of the built package beside that. */
const testedByPath = [
  'lib/pinned.ts',
  'runtime/cluster/detach.ts',
  'runtime/code/function-source.ts',
  'runtime/owner/current.ts',
]
/** The files that processes of a kind load first, and the entry whose static imports say what they need. */
const kinds = [
  ['worker', 'runtime/worker/entry.ts'],
  ['driver', 'lib/index.ts'],
]
/** What starts the first worker of a local node, before the rest of that node is loaded. */
const early = ['early', 'runtime/cluster/local.ts']
const ofAllKinds = 'core'
/**
 * What is as it was when the first module of the package was loaded, and what shims tell and ask then: they load the rest
 * with their first call. By entry and by others it is loaded before that.
 */
const atFirst = [
  'lib/explain-symbol.ts',
  'runtime/base/bounded-map.ts',
  'runtime/base/bounded-set.ts',
  'runtime/base/timers.ts',
  'runtime/base/working-folder.ts',
  'runtime/code/code-places.ts',
  'runtime/code/noted-stand-ins.ts',
]
/**
 * What programs import, and what the first call does before anything else: with `early` it starts the first worker. The
 * rest of a driver is loaded then, by the modules `withCalls`, and boots the worker meanwhile. In chunks of their own:
 * what workers need of it, too (`base`), and what only drivers do (`front`).
 */
const front = ['front', 'lib/index.ts']
const withCalls = ['lib/captures.ts', 'lib/carry.ts', 'lib/driver.ts', 'runtime/owner/watch-near.ts']
const frontOfAllKinds = 'base'
/** The rest of a node, for who needs that: drivers in local mode, and daemons. */
const ofNodes = ['local-node', 'runtime/cluster/local-node.ts']
/** Runs the larger chunks, so it is loaded before them: a file of its own, which imports no other. */
const loader = ['compiled-script', 'runtime/base/compiled-script.ts']

export function filesBelow(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

function publishedEntries(root) {
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const paths = [...Object.values(bin), ...Object.values(exports).map((entry) => entry.default ?? '')]
  return paths.flatMap((path) => /^(?:\.\/)?dist\/(.+)\.js$/.exec(path)?.slice(1) ?? []).map((name) => `${name}.ts`)
}

/** What is published, and what no import names: processes and threads of their own, and what is imported by its URL. */
function entryPoints(root) {
  const entries = new Set([...publishedEntries(root), ...startedByPath, ...testedByPath, loader[1]])
  for (const file of sourceFolders.flatMap((folder) => filesBelow(join(root, folder)))) {
    // A shim of what is loaded under the original's name.
    if (basename(file) === 'shim.ts') entries.add(relative(root, file))
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/new URL\('([\w./-]+)\.js', import\.meta\.url\)/g)) {
      const named = relative(root, join(dirname(file), `${path}.ts`))
      if (existsSync(join(root, named))) entries.add(named)
    }
  }
  return [...entries]
}

/**
 * TypeScript to JavaScript. A module that becomes a part of a chunk still knows its own place in dist/: its
 * `import.meta.url` is the URL that it would have there. What is published keeps the real one, with whatever query it is
 * imported by.
 */
function typescript(root, transform, parse) {
  const numbers = messageNumbers(root)
  const published = new Set(publishedEntries(root).map((name) => join(root, name)))
  return {
    name: 'typescript',
    async transform(source, path) {
      const isPart = !published.has(path) && source.includes('import.meta.url')
      const define = isPart ? { 'import.meta.url': 'ownUrl' } : {}
      const numbered = source.replaceAll(/\bMessageType\.(\w+)/g, (whole, name) => numbers.get(name) ?? whole)
      const { code: commented } = await transform(numbered, {
        loader: 'ts',
        target: 'node20',
        charset: 'ascii',
        define,
      })
      const code = withoutComments(commented, parse)
      const place = relative(root, path).replace(/\.ts$/, '.js')
      return {
        code: isPart ? `const ownUrl = outpoolRoot + ${JSON.stringify(place)}\n${code}` : code,
        map: null,
      }
    },
  }
}

/**
 * The numbers of messages, by name. They are put in where the sources name them: an object of so many properties, twice,
 * as V8 keeps a pattern of it, is room that it would collect garbage for before a worker's first result.
 */
function messageNumbers(root) {
  const source = readFileSync(join(root, 'runtime/protocol/message-type.ts'), 'utf8')
  return new Map([...source.matchAll(/^ {2}(\w+): (\d+),$/gm)].map(([, name, number]) => [name, number]))
}

/** Without comments, which every process would keep with the rest of its text; those for the bundler and the shell stay. */
function withoutComments(code, parse) {
  const comments = []
  parse(code, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true, onComment: comments })
  let result = ''
  let end = 0
  for (const comment of comments) {
    if (/^\s*[@#]__/.test(comment.value) || code.startsWith('#!', comment.start)) continue
    const before = code.slice(end, comment.start)
    const indent = /(?:^|\n)( *)$/.exec(before)?.[1]
    const hasLine = indent !== undefined && code[comment.end] === '\n'
    result += hasLine ? before.slice(0, before.length - indent.length) : before
    end = hasLine ? comment.end + 1 : comment.end
  }
  return result + code.slice(end)
}

/** Workers are started from files of the package: a program that has swallowed them is told so, when it starts. */
function refuseToBeBundled(fileName) {
  const text =
    'outpool was bundled into this program, and starts its workers from its own files. Leave it outside of the bundle: ' +
    '--packages=external or --external:outpool of esbuild, `external` of rollup, `externals` of webpack; ' +
    'migration-guide/README.md of outpool has each bundler'
  return `if (!String(import.meta.url).split('?')[0].endsWith(${JSON.stringify(`/${fileName}`)})) throw new Error(${JSON.stringify(text)});\n`
}

/** Names the chunk of a module that a kind of process loads first; the bundler asks when it has read all modules. */
function chunkNames(root) {
  let reach
  let later
  let ahead
  return (path, { getModuleInfo }) => {
    if (relative(root, path) === loader[1]) return loader[0]
    if (atFirst.includes(relative(root, path))) return 'first'
    later ??= lazyModules(
      root,
      { entry: join(root, kinds[0][1]), front: join(root, front[1]), withCalls },
      getModuleInfo,
    )
    if (later.has(path)) return later.get(path)
    const isWithCalls = (other) => withCalls.includes(relative(root, other))
    ahead ??= {
      front: reachOf(join(root, front[1]), getModuleInfo, (other) => later.has(other) || isWithCalls(other)),
      early: reachOf(join(root, early[1]), getModuleInfo),
    }
    const reachOfKind = ([kind, entry]) => [kind, reachOf(join(root, entry), getModuleInfo)]
    reach ??= [early, ...kinds, ofNodes].map(reachOfKind)
    if (relative(root, path) === ofNodes[1]) return ofNodes[0]
    const needing = getModuleInfo(path).isEntry ? [] : reach.filter(([, reached]) => reached.has(path))
    if (ahead.front.has(path) || ahead.early.has(path)) {
      const isShared = reach.some(([kind, reached]) => kind === kinds[0][0] && reached.has(path))
      if (isShared) return frontOfAllKinds
      if (!ahead.early.has(path)) return front[0]
    }
    const both = kinds.every(([kind]) => needing.some(([other]) => other === kind))
    return both ? ofAllKinds : needing[0]?.[0]
  }
}

/** The chunks of shims whose calls may never leave the process. */
const shims = /^(?:compat\/p-\w+\/|chunks\/(?:placer|original-package)-)/

/** The chunks of what is there before the first call. */
const ofFront = /^chunks\/(?:front|base)-/

/** Whether a chunk is loaded when the chunk `importer` first uses something of it. */
function isLater(name, importer = '') {
  if (isLazyChunk(name) || name === early[0]) return true
  if (shims.test(importer)) return [ofAllKinds, kinds[1][0], frontOfAllKinds, front[0]].includes(name)
  return ofFront.test(importer) && [ofAllKinds, kinds[1][0]].includes(name)
}

export async function bundle(root, outDir) {
  // A fresh clone loads this before it has installed them.
  const [{ transform }, { rollup }, { parse }] = await Promise.all([
    import('esbuild'),
    import('rollup'),
    import('acorn'),
  ])
  const entries = entryPoints(root)
  const build = await rollup({
    input: Object.fromEntries(entries.map((entry) => [entry.replace(/\.ts$/, ''), join(root, entry)])),
    external: (id) => !/^[./]/.test(id),
    plugins: [typescript(root, transform, parse), compiledScripts(loader[1], isLater, transform, commonJs, starts)],
    onwarn(warning) {
      // What is loaded later imports what loads it.
      if (warning.code === 'CIRCULAR_CHUNK') return
      throw new Error(`${warning.code}: ${warning.message}`)
    },
  })
  try {
    const { output } = await build.write({
      dir: outDir,
      format: 'es',
      chunkFileNames: 'chunks/[name]-[hash].js',
      manualChunks: chunkNames(root),
      hoistTransitiveImports: false,
      minifyInternalExports: false,
      banner: ({ facadeModuleId, fileName }) =>
        (facadeModuleId === join(root, loader[1]) ? refuseToBeBundled(fileName) : '') + rootOfDist,
    })
    for (const { fileName, code, source } of output) {
      const renamed = /\bclass ([A-Za-z]+\$\d+)\b/.exec(code ?? source)?.[1]
      // Users see the names of classes.
      if (renamed !== undefined)
        throw new Error(`two classes of one name met in ${fileName}, see ${renamed}: rename one of them`)
    }
  } finally {
    await build.close()
  }
}
