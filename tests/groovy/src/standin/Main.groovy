// The stand-in controller: runs scripts on classes with the plugin's names and answers HTTP as a recorded controller did.
package standin

import groovy.transform.CompileStatic

@CompileStatic
class Main {
    private static final String USAGE = 'usage: standin.Main --home DIR [--port N] [--plugin 4238|1.29] [--core VERSION] ' +
        '[--cloud NAME]... [--casc FILE]... [--starting-seconds N]'

    static void main(String[] arguments) {
        Map<String, List<String>> options = parse(arguments.toList())
        if (!options.home) {
            System.err.println(USAGE)
            System.exit(2)
        }
        String plugin = options.plugin ? options.plugin.last() : Version.NEW
        System.setProperty('standin.plugin', plugin)
        // Without this each answer on a kept connection waits 40 ms for an acknowledgement.
        System.setProperty('sun.net.httpserver.nodelay', 'true')
        ClassLoader loader = new VersionLoader(plugin)
        Thread.currentThread().contextClassLoader = loader
        loader.loadClass('standin.Controller').getMethod('start', Map).invoke(null, options)
    }

    private static Map<String, List<String>> parse(List<String> arguments) {
        Map<String, List<String>> options = [:]
        arguments.collate(2).each { List<String> pair ->
            if (pair.size() != 2 || !pair[0].startsWith('--')) {
                throw new IllegalArgumentException("not understood: ${pair.join(' ')}")
            }
            options.get(pair[0].substring(2), []).add(pair[1])
        }
        options
    }
}
