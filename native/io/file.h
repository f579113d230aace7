// Files: mapped for reading, replaced atomically for writing.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

namespace exitrl {

std::string read_file(const std::string& path);

// A file mapped read-only.
class MappedFile {
 public:
  explicit MappedFile(std::string path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
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
  void write(const void* data, size_t bytes);
  // fsync, rename, fsync of the folder: after a crash the file is the old one or the new one.
  void commit();

 private:
  [[noreturn]] void failed(const char* doing) const;
  std::string path_, temporary_;
  int fd_ = -1;
};

}  // namespace exitrl
