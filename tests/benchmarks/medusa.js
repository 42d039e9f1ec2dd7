// Medusa's inventory module, asked from outside: one JSON line in, one JSON line out.
//
// {"adjust": clients, "seconds": s}  as many adjustInventory(-1) as they get done
// {"reserve": buyers, "units": n}    buyers who each want one of n units, all at once
//
// Started with NODE_PATH at its packages and the URL of an empty PostgreSQL database.

const readline = require("readline");
const inventory = require("@medusajs/inventory");
const { MedusaModule } = require("@medusajs/framework/modules-sdk");
const {
  ContainerRegistrationKeys,
  ModulesSdkUtils,
} = require("@medusajs/framework/utils");

const clientUrl = process.argv[2];
const quiet = () => {};
// Its migrations talk to the console; only answers may go to standard output.
console.log = console.info = quiet;
const answer = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);
const logger = new Proxy({}, { get: () => quiet });
const events = { emit: async () => {}, subscribe: quiet, unsubscribe: quiet };
const PLACE = "downtown";
let items = 0;

async function start() {
  const modulePath = require.resolve("@medusajs/inventory");
  const driverOptions = { connection: { ssl: false } };
  const options = { database: { clientUrl, driverOptions } };
  const moduleKey = "inventory";
  await MedusaModule.migrateUp({
    moduleKey,
    modulePath,
    moduleExports: inventory,
    options,
  });
  const loaded = await MedusaModule.bootstrap({
    moduleKey,
    defaultPath: modulePath,
    declaration: { scope: "internal", options },
    moduleExports: inventory,
    injectedDependencies: {
      [ContainerRegistrationKeys.PG_CONNECTION]: ModulesSdkUtils.createPgConnection({
        clientUrl,
        driverOptions,
        pool: { min: 1, max: 16 },
      }),
      [ContainerRegistrationKeys.LOGGER]: logger,
      logger,
      event_bus: events,
    },
  });
  return loaded.inventory;
}

async function stocked(service, units) {
  const item = await service.createInventoryItems({ sku: `SKU-${++items}` });
  await service.createInventoryLevels({
    inventory_item_id: item.id,
    location_id: PLACE,
    stocked_quantity: units,
  });
  return item.id;
}

async function level(service, item) {
  const [found] = await service.listInventoryLevels({ inventory_item_id: item });
  return found;
}

async function adjust(service, { adjust: clients, seconds }) {
  const units = 10_000_000;
  const item = await stocked(service, units);
  let done = 0;
  const began = performance.now();
  const ends = began + seconds * 1000;
  const client = async () => {
    while (performance.now() < ends) {
      await service.adjustInventory(item, PLACE, -1);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const took = (performance.now() - began) / 1000;
  const gone = units - Number((await level(service, item)).stocked_quantity);
  return { done, seconds: took, lost: done - gone };
}

async function reserve(service, { reserve: buyers, units }) {
  const item = await stocked(service, units);
  const wanted = { inventory_item_id: item, location_id: PLACE, quantity: 1 };
  const one = () =>
    service.createReservationItems([wanted]).then(
      () => 1,
      () => 0,
    );
  const answers = await Promise.all(Array.from({ length: buyers }, one));
  return { accepted: answers.reduce((sum, one) => sum + one, 0) };
}

async function main() {
  const service = await start();
  answer({ ready: true });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    answer(await (asked.adjust ? adjust : reserve)(service, asked));
  }
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
