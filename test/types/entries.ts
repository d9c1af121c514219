/** Every entry, imported by its name, as a program would. What each exports has programs of its own beside this one. */
import * as outpool from 'outpool'
import * as executor from 'outpool/executor'
import * as multiprocessing from 'outpool/multiprocessing'
import * as pLimit from 'outpool/p-limit'
import * as pMap from 'outpool/p-map'
import * as pQueue from 'outpool/p-queue'
import 'outpool/register'
import * as workerpool from 'outpool/workerpool'

export const entries: readonly object[] = [outpool, executor, multiprocessing, pLimit, pMap, pQueue, workerpool]
