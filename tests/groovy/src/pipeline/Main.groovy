package pipeline

/**
 * Runs a Jenkinsfile on the real CPS engine, with steps that act on a real cluster; the log goes to stdout.
 *
 * SIGTERM aborts the build the way an abort in Jenkins does: its steps are stopped and its pods deleted.
 */
class Main {
    private static final String USAGE = 'pipeline.Main --home DIR --job NAME [--library NAME=DIR ...] [--scm DIR] ' +
        '[--build-number N] [--env K=V ...] JENKINSFILE'

    static void main(String[] args) {
        Map<String, Object> options = parse(args as List)
        Build build = new Build(options, System.out)
        Thread runner = Thread.currentThread()
        Runtime.runtime.addShutdownHook(new Thread({ stop(build, runner) }))
        String result = build.run(new File(options.jenkinsfile))
        build.log.line("Finished: $result")
        finished = true
        Runtime.runtime.halt(result in ['SUCCESS', 'UNSTABLE'] ? 0 : 1)
    }

    private static volatile boolean finished

    private static void stop(Build build, Thread runner) {
        if (!finished) {
            build.abort()
            runner.join(120_000)
        }
    }

    private static Map<String, Object> parse(List<String> args) {
        Map<String, Object> options = [number: '1', libraries: [:], env: [:]]
        Iterator<String> words = args.iterator()
        while (words.hasNext()) {
            String word = words.next()
            if (!word.startsWith('--')) {
                options.jenkinsfile = word
                continue
            }
            String value = words.next()
            switch (word) {
                case '--library': options.libraries[before(value)] = new File(after(value)); break
                case '--env': options.env[before(value)] = after(value); break
                case '--build-number': options.number = value; break
                case ['--home', '--job', '--scm']: options[word.substring(2)] = value; break
                default: throw new IllegalArgumentException("$word? $USAGE")
            }
        }
        if (!options.home || !options.job || !options.jenkinsfile) {
            throw new IllegalArgumentException(USAGE)
        }
        return options
    }

    private static String before(String pair) { pair.takeWhile { it != '=' } }

    private static String after(String pair) { pair.substring(before(pair).length() + 1) }
}
