// Airports and base costs of the travel simulator, in dollars for economy.

/** Destinations of an airport in rising order of cost: `first` for the first, `step` more for each further one. */
const LADDERS: readonly (readonly [from: string, first: number, destinations: string])[] = [
  ['LAX', 310, 'RMS SBK MPC SVP SHD SSV OKD WLB CRH ATV PHV GFD HND'],
  ['JFK', 450, 'RMS SBK MPC SVP SHD SSV OKD WLB CRH ATV PHV GFD LAX'],
  ['ORD', 350, 'RMS SBK MPC SVP SHD SSV OKD WLB CRH ATV PHV GFD'],
  ['BOS', 400, 'RMS SBK MPC SVP SHD SSV OKD WLB CRH ATV PHV GFD'],
  ['RMS', 200, 'BOS JFK SBK MPC SVP SHD SSV OKD WLB CRH ATV PHV GFD LAX'],
  ['SBK', 200, 'MPC SVP SHD SSV OKD WLB CRH ATV PHV GFD'],
  ['MPC', 210, 'SVP SHD SSV OKD WLB CRH ATV PHV GFD'],
  ['SVP', 230, 'SHD SSV OKD WLB CRH ATV PHV GFD'],
  ['SHD', 220, 'SSV OKD WLB CRH ATV PHV GFD'],
  ['SSV', 240, 'OKD WLB CRH ATV PHV GFD'],
  ['OKD', 230, 'WLB CRH ATV PHV GFD'],
  ['WLB', 250, 'CRH ATV PHV GFD'],
  ['CRH', 240, 'ATV PHV GFD SFO RMS HKG JFK'],
  ['ATV', 230, 'PHV GFD'],
  ['PHV', 220, 'GFD'],
];
const STEP = 10;

const SINGLE: Readonly<Record<string, number>> = {
  ...{
    'SFO LAX': 200,
    'SFO JFK': 500,
    'SFO ORD': 400,
    'SFO BOS': 450,
    'SFO RMS': 300,
    'SFO SBK': 350,
    'SFO MPC': 370,
    'SFO SVP': 320,
  },
  ...{
    'SFO SHD': 330,
    'SFO SSV': 340,
    'SFO OKD': 360,
    'SFO WLB': 310,
    'SFO CRH': 380,
    'SFO ATV': 390,
    'SFO PHV': 420,
    'SFO GFD': 430,
  },
  ...{
    'SFO CIA': 700,
    'LAX SFO': 100,
    'LAX JFK': 600,
    'LAX ORD': 500,
    'LAX BOS': 550,
    'JFK ORD': 300,
    'JFK BOS': 250,
    'JFK HND': 800,
  },
  ...{ 'JFK PVG': 950, 'JFK PEK': 1000, 'ORD LAX': 180, 'ORD BOS': 200, 'LHR CDG': 100, 'OKD LAX': 220 },
};

/** Base cost by "FROM TO". */
export const BASE_COSTS: ReadonlyMap<string, number> = new Map([
  ...Object.entries(SINGLE),
  ...LADDERS.flatMap(([from, first, destinations]) =>
    destinations.split(' ').map((to, i): [string, number] => [`${from} ${to}`, first + STEP * i]),
  ),
]);

export const AIRPORTS =
  'RMS SBK MPC SVP SHD CDG LHR SSV OKD WLB PEK HND HKG CIA CRH ATV PHV GFD SFO LAX JFK ORD BOS'.split(' ');

export const NEAREST: ReadonlyMap<unknown, string> = new Map([
  ...([
    ['Rivermist', 'RMS'],
    ['Stonebrook', 'SBK'],
    ['Maplecrest', 'MPC'],
    ['Silverpine', 'SVP'],
    ['Shadowridge', 'SHD'],
  ] as const),
  ...([
    ['London', 'LHR'],
    ['Paris', 'CDG'],
    ['Sunset Valley', 'SSV'],
    ['Oakendale', 'OKD'],
    ['Willowbend', 'WLB'],
  ] as const),
  ...([
    ['Crescent Hollow', 'CRH'],
    ['Autumnville', 'ATV'],
    ['Pinehaven', 'PHV'],
    ['Greenfield', 'GFD'],
  ] as const),
  ...([
    ['San Francisco', 'SFO'],
    ['Los Angeles', 'LAX'],
    ['New York', 'JFK'],
    ['Chicago', 'ORD'],
    ['Boston', 'BOS'],
  ] as const),
  ...([
    ['Beijing', 'PEK'],
    ['Hong Kong', 'HKG'],
    ['Rome', 'CIA'],
    ['Tokyo', 'HND'],
  ] as const),
]);

/** What a dollar is worth. */
export const RATES: readonly (readonly [currency: string, rate: number])[] = [
  ...([
    ['RMB', 7],
    ['EUR', 0.8],
    ['JPY', 110],
    ['GBP', 0.7],
    ['CAD', 1.3],
    ['AUD', 1.4],
    ['INR', 70],
    ['RUB', 60],
    ['BRL', 3.8],
    ['MXN', 20],
  ] as const),
];
