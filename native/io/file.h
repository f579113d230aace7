// Files: mapped for reading, replaced atomically for writing.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "io/fault_guard.h"

namespace exitrl {

std::string read_file(const std::string& path);

// A file mapped read-only, to be read once from front to back. Its pages can go away while they are read (somebody cuts
// the file short, the disk fails), and touching such a page ends the process: read() is the way to touch them.
class MappedFile {
 public:
  explicit MappedFile(std::string path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  const std::string& path() const { return path_; }

  // Runs `body`, which reads mapped pages. One that cannot be read is Error(io) that names the file. `body` must neither
  // allocate nor lock nor hold objects with destructors: it is left by a jump. Any thread.
  template <class Body>
  void read(Body&& body) const {
    if (!survives_faults(data_, size_, body)) unreadable();
  }
  // Bytes that are done with: their pages stop counting as memory of this process.
  void drop(const std::byte* begin, size_t bytes) const;
  // Throws when the file is no longer as long as it was when it was mapped: its last page then reads as zeros.
  void check_size() const;

 private:
  [[noreturn]] void unreadable() const;
  std::string path_;
  int fd_ = -1;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Writes a temporary file beside `path`; commit() makes it `path`. Without commit (an error, a full disk) it is removed
// and whatever was at `path` is untouched.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  const std::string& path() const { return path_; }
  void write(const void* data, size_t bytes);
  // fsync, rename, fsync of the folder: after a crash the file is the old one or the new one.
  void commit();

 private:
  [[noreturn]] void failed(const char* doing) const;
  std::string path_, temporary_;
  int fd_ = -1;
};

}  // namespace exitrl
