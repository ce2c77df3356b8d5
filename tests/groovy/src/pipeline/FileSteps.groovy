package pipeline

import hudson.AbortException
import java.nio.file.Files
import java.nio.file.NoSuchFileException

/** Steps that read and write files through the agent, in its container and as its user. */
class FileSteps {
    private static final String NEEDS = 'hudson.FilePath'
    private final Build build

    FileSteps(Build build) { this.build = build }

    static String resolve(Context context, String path) { path.startsWith('/') ? path : "$context.folder/$path" }

    @Step(value = 'tmp', needs = FileSteps.NEEDS)
    String pwd(StepCall call) { call.flag('tmp') ? "$call.context.folder@tmp" : call.context.folder }

    @Step(value = ['file', 'text', 'encoding'], needs = FileSteps.NEEDS)
    void writeFile(StepCall call) {
        byte[] bytes = call.text('text').getBytes(call.text('encoding') ?: 'UTF-8')
        write(call.context.agent, resolve(call.context, call.text('file')), bytes)
    }

    /** Reads just as many bytes as there are: the end of the input cannot be told over this connection. */
    void write(Agent agent, String path, byte[] bytes) {
        String script = 'mkdir -p "${2%/*}" && head -c "$1" > "$2"'
        build.cluster.run(agent, script, [bytes.length.toString(), path], new ByteArrayInputStream(bytes))
    }

    @Step(value = ['file', 'encoding'], needs = FileSteps.NEEDS)
    String readFile(StepCall call) {
        String path = resolve(call.context, call.text('file'))
        if (!exists(call.context.agent, path)) {
            throw new NoSuchFileException(path)
        }
        return new String(build.cluster.run(call.context.agent, 'cat "$1"', [path]), call.text('encoding') ?: 'UTF-8')
    }

    @Step(value = 'file', needs = FileSteps.NEEDS)
    boolean fileExists(StepCall call) { exists(call.context.agent, resolve(call.context, call.text('file'))) }

    private boolean exists(Agent agent, String path) {
        return build.cluster.run(agent, 'if [ -e "$1" ]; then echo yes; fi', [path]).length > 0
    }

    @Step(needs = FileSteps.NEEDS)
    void deleteDir(StepCall call) { build.cluster.run(call.context.agent, 'rm -rf "$1"', [call.context.folder]) }

    /** A clone with its .git, detached at the commit as Jenkins leaves it. */
    @Step(value = 'scm', needs = FileSteps.NEEDS)
    Map<String, String> checkout(StepCall call) {
        if (!(call.args.scm instanceof Globals.Scm)) {
            throw new AbortException('this runner checks out scm only')
        }
        File source = new File(build.options.scm).absoluteFile
        File clone = Files.createTempDirectory('checkout').toFile()
        try {
            Host.run(['git', 'clone', '--quiet', '--no-hardlinks', source.path, clone.path])
            String branch = Host.run(['git', '-C', clone.path, 'rev-parse', '--abbrev-ref', 'HEAD'])
            Host.run(['git', '-C', clone.path, 'checkout', '--quiet', '--detach'])
            build.cluster.upload(call.context.agent, clone, call.context.folder)
            return [GIT_COMMIT: Host.run(['git', '-C', clone.path, 'rev-parse', 'HEAD']), GIT_URL: source.path,
                    GIT_BRANCH: "origin/$branch".toString()]
        } finally {
            clone.deleteDir()
        }
    }
}
