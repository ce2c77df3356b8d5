package pipeline

import hudson.AbortException

/** Programs of this machine: git and tar, for what a controller has code of its own. */
class Host {
    static String run(List<String> command) {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start()
        String output = process.inputStream.getText('UTF-8').trim()
        if (process.waitFor()) {
            throw new AbortException("${command.join(' ')}: $output")
        }
        return output
    }
}
