import type { FastifyInstance, FastifyRequest } from 'fastify'
import { countries } from '../../schemas/countries.ts'
import type { Config } from '../config.ts'
import { addressList } from './address-list.ts'

const known = new WeakMap<FastifyRequest, string>()

/** From which country a request comes, as a trusted proxy judges it; undefined when nobody says. */
export function countryOf(request: FastifyRequest): string | undefined {
  return known.get(request)
}

/**
 * Reads the header in which a proxy says from which country a request comes. It is believed of those
 * proxies alone that are trusted with addresses: anybody else could name any country. There is no
 * list of addresses in here that could say it instead.
 */
export function readCountries(
  app: FastifyInstance,
  { countryHeader, trustedProxies }: Pick<Config, 'countryHeader' | 'trustedProxies'>
): void {
  if (countryHeader === undefined) return
  const isTrusted = addressList(trustedProxies)
  app.addHook('onRequest', (request, _reply, done) => {
    const value = request.headers[countryHeader]
    // Proxies say XX or T1 for what they do not know.
    if (isTrusted(request.socket.remoteAddress) && typeof value === 'string') {
      const country = value.trim().toUpperCase()
      if (countries.has(country)) known.set(request, country)
    }
    done()
  })
}
