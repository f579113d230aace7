// Words that mean something in an answer.

/** Plain names of functions and constants, and their commands. */
export const FUNCTIONS: Readonly<Record<string, string>> = Object.assign(
  Object.create(null) as Record<string, string>,
  {
    ...{
      sqrt: 'sqrt',
      cbrt: 'cbrt',
      sin: 'sin',
      cos: 'cos',
      tan: 'tan',
      cot: 'cot',
      sec: 'sec',
      csc: 'csc',
      ln: 'ln',
      log: 'log',
      exp: 'exp',
    },
    ...{
      arcsin: 'arcsin',
      arccos: 'arccos',
      arctan: 'arctan',
      asin: 'arcsin',
      acos: 'arccos',
      atan: 'arctan',
      arccot: 'arccot',
    },
    ...{
      sinh: 'sinh',
      cosh: 'cosh',
      tanh: 'tanh',
      abs: 'abs',
      floor: 'floor',
      ceil: 'ceil',
      max: 'max',
      min: 'min',
      gcd: 'gcd',
      lcm: 'lcm',
    },
    ...{
      pi: 'pi',
      infinity: 'infty',
      inf: 'infty',
      infty: 'infty',
      oo: 'infty',
      binom: 'binom',
      frac: 'frac',
      pm: 'pm',
      cdot: 'cdot',
    },
    ...{
      union: 'cup',
      percent: 'percent',
      pct: 'percent',
      percentage: 'percent',
      degrees: 'degrees',
      degree: 'degrees',
      deg: 'degrees',
    },
    ...{
      theta: 'theta',
      alpha: 'alpha',
      beta: 'beta',
      gamma: 'gamma',
      lambda: 'lambda',
      mod: 'mod',
      factorial: 'factorial',
    },
  },
);

const unitNames = `
  cm mm km m2 dm nm ft inch inches in foot feet yard yards yd mile miles mi meter meters metre metres centimeter centimeters
  centimetre centimetres kilometer kilometers kilometre kilometres millimeter millimeters kg mg gram grams kilogram kilograms lb lbs
  pound pounds oz ounce ounces ton tons sec secs second seconds min mins minute minutes hr hrs hour hours day days week weeks month
  months year years mph kmh km/h ml liter liters litre litres gallon gallons cup cups dollar dollars cent cents usd eur euro euros
  rupees rad radian radians unit units square cubic sq cu sqft per people person persons student students child children boys girls
  men women books apples oranges ways pieces points times marbles cards coins balls games tickets pages words items cookies
  sides faces edges vertices triangles squares rectangles integers numbers digits values solutions pairs
  miles/hour joules joule newtons newton watts watt volts volt hertz hz kelvin pascals mol moles km^2 cm^2`;

/** Units, and what is counted: dropped behind a number. */
export const UNITS: ReadonlySet<string> = new Set(unitNames.trim().split(/\s+/));

const numberNames = `
  zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
  twenty`;

/** The number that a word is the name of; null for other words. */
export function numberNamed(word: string): bigint | null {
  const at = numberNames.trim().split(/\s+/).indexOf(word);
  return at < 0 ? null : BigInt(at);
}
